"""Writes Prodigal training files, one for each of Bakta's translation tables, into the directory that is named, and
finds genes with the one called ours.trn, if it lies there."""
import pathlib
import random
import sys

import pyrodigal

directory = pathlib.Path(sys.argv[1])
random.seed(1)
sequence = "".join(random.choice("ACGT") for _ in range(100_000))
for table in (4, 11, 25):
    with (directory / f"{table}.trn").open("wb") as file:
        pyrodigal.GeneFinder().train(sequence, translation_table=table).dump(file)
ours = directory / "ours.trn"
if ours.exists():
    with ours.open("rb") as file:
        pyrodigal.GeneFinder(pyrodigal.TrainingInfo.load(file)).find_genes(sequence)
