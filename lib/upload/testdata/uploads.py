"""Has Bakta's own code read uploads, one for each object {"kind", "path", "genome"} in a JSON list on stdin. Prints a
JSON list with, for each, how many regions, proteins or profiles Bakta would use, or the error with which it ends."""
import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")

import bakta.config as cfg
import bakta.expert.protein_hmms as hmms
import bakta.expert.protein_sequences as proteins
import bakta.features.cds as cds
import bakta.io.fasta as fasta
import bakta.utils as bu

cfg.translation_table = 11
cfg.keep_sequence_headers = False
cfg.threads = 1


def regions(path, genome):
    cfg.min_sequence_length = 1
    sequences, _ = bu.qc_sequences(fasta.import_sequences(genome), None)
    found, skipped = cds.import_user_cdss({"sequences": sequences}, path)
    return len(found) + skipped


def trusted(path, _):
    cfg.user_proteins = path
    out = pathlib.Path(tempfile.mkdtemp()) / "user-proteins.faa"
    used, _ = proteins.write_user_protein_sequences(out)
    if used:  # what Bakta's search does first with them; at some characters it never ends
        subprocess.run(["diamond", "makedb", "--in", out, "--db", out.with_suffix(".dmnd"), "--quiet"], check=True, timeout=10, capture_output=True)
        for line in out.read_text().splitlines():
            if line.startswith(">"):
                (title,) = line.split("\t")
                assert len(title.split("\x01")[0].split(" ", 1)[1].split("~~~")) == 8
    return used


def profiles(path, _):
    aa = "MKLLVVVAAALMKLPQRSTVW"
    digest, hexdigest = bu.calc_aa_hash(aa)
    feature = {"aa": aa, "aa_digest": digest, "aa_hexdigest": hexdigest, "sequence": "a", "start": 1, "stop": 63, "strand": "+"}
    hmms.search([feature], path)
    return len(feature.get("expert", []))


def judge(kind, path, genome):
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            used = {
                "regions_file": regions,
                "trusted_proteins_file": trusted,
                "hmms_file": profiles,
                "protein_fasta": lambda path, _: len(fasta.import_sequences(path, False, False)),
            }[kind](pathlib.Path(path), pathlib.Path(genome) if genome else None)
            return {"used": used}
        except (SystemExit, Exception) as e:
            return {"error": f"{type(e).__name__}: {e}"}


json.dump([judge(**upload) for upload in json.load(sys.stdin)], sys.stdout)
