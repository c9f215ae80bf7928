"""Has Bakta's own code import regions, for each object {"genome", "regions", "table"} in a JSON list on stdin, the first
two of them paths. Prints a JSON list of the names of the sequences whose regions it imports, for each."""
import json
import logging
import pathlib
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import bakta.config as cfg
import bakta.features.cds as cds
import bakta.io.fasta as fasta
import bakta.utils as bu

cfg.keep_sequence_headers = False
cfg.min_sequence_length = 1


def imported(case):
    cfg.translation_table = case["table"]
    sequences, _ = bu.qc_sequences(fasta.import_sequences(pathlib.Path(case["genome"])), None)
    found, _ = cds.import_user_cdss({"sequences": sequences}, pathlib.Path(case["regions"]))
    names = {sequence["id"]: sequence["orig_id"] for sequence in sequences}
    return [names[region["sequence"]] for region in found]


json.dump([imported(case) for case in json.load(sys.stdin)], sys.stdout)
