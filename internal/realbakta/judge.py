"""Does what Bakta does before it annotates, once for each command line in a JSON list on stdin, with Bakta's own
code. Prints a JSON list: {"error": text} or {"options": {...}, "sequences": [[id, type, topology, name], ...]}.
"""
import contextlib
import io
import json
import sys

import bakta.config as cfg
import bakta.io.fasta as fasta
import bakta.utils as bu


def start(argv):
    sys.argv = ["bakta", *argv]
    args = bu.parse_arguments()
    cfg.setup(args)
    try:
        sequences = fasta.import_sequences(cfg.genome_path)
    except Exception:
        sys.exit("ERROR: wrong genome file format!")
    replicons = bu.parse_replicon_table(cfg.replicons) if cfg.replicons else None
    sequences, _ = bu.qc_sequences(sequences, replicons)
    if not sequences:
        sys.exit("Error: input file contains no valid sequences.")
    return {
        "options": {k: v for k, v in vars(args).items() if v not in (None, False)},
        "sequences": [[s["id"], s["type"], s["topology"], s.get("name", "")] for s in sequences],
    }


def judge(argv):
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr):
            return start(argv)
    except SystemExit as e:
        return {"error": f"{e.code} {stderr.getvalue()}"}


json.dump([judge(argv) for argv in json.load(sys.stdin)], sys.stdout)
