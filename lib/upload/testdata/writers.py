"""Has Bakta's own code write all files of a result, once for each genome in a JSON list on stdin: {"genus", "species",
"strain", "plasmid", "locus_tag", "plot", "sequences": [[id, length, type, topology, name], ...]}, where only the
sequences are required. Prints a JSON list of texts: what was raised, or the empty text.
"""
import datetime
import json
import pathlib
import sys
import tempfile
import warnings

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

import bakta.config as cfg
import bakta.io.fasta as fasta
import bakta.io.gff as gff
import bakta.io.insdc as insdc
import bakta.io.json as bakta_json
import bakta.io.tsv as tsv
import bakta.plot as plot

warnings.simplefilter("ignore")
cfg.db_info = {"major": 6, "minor": 0, "type": "light"}
cfg.run_start = cfg.run_end = datetime.datetime(2025, 1, 2)
cfg.translation_table = 11
cfg.compliant = False


def gene(sequence, tag):
    return {
        "type": "cds", "sequence": sequence["id"], "start": 1, "stop": sequence["length"], "strand": "+", "frame": 1, "gene": None,
        "product": "hypothetical protein", "hypothetical": True, "db_xrefs": ["SO:0001217"], "nt": sequence["nt"], "aa": "MK", "aa_digest": b"x",
        "aa_hexdigest": "78", "locus": tag, "id": tag, "seq_stats": {"molecular_weight": 1.0, "isoelectric_point": 7.0},
    }


def write(genome, path):
    sequences = []
    for id, length, kind, topology, name in genome["sequences"]:
        sequences.append({
            "id": id, "description": f"[plasmid-name={name}]", "nt": "ACGT" * (length // 4) + "ACGT"[: length % 4], "length": length, "complete": kind != "contig",
            "type": kind, "topology": topology, **({"name": name} if name else {}),
        })
    taxon = " ".join(genome[k] for k in ("genus", "species", "strain") if genome.get(k)) or None
    data = {
        "genome": {"genus": genome.get("genus"), "species": genome.get("species"), "strain": genome.get("strain"), "taxon": taxon},
        "stats": {}, "features": [], "sequences": sequences,
    }
    if genome.get("plasmid"):
        data["genome"]["plasmid"] = genome["plasmid"]
    by_sequence = {s["id"]: [] for s in sequences}
    for n, s in enumerate(sequences):
        by_sequence[s["id"]].append(gene(s, f"{genome.get('locus_tag', 'TAG')}_{n}"))
    features = []
    for s in sequences:
        features.extend(by_sequence[s["id"]])
    data["features"] = features
    tsv.write_features(sequences, by_sequence, path / "tsv")
    gff.write_features(data, by_sequence, path / "gff3")
    insdc.write_features(data, features, path / "gbff", path / "embl")
    fasta.export_sequences(sequences, path / "fna", description=True, wrap=True)
    fasta.write_ffn(features, path / "ffn")
    fasta.write_faa(features, path / "faa")
    tsv.write_feature_inferences(sequences, by_sequence, path / "inference.tsv")
    tsv.write_hypotheticals(features, path / "hypotheticals.tsv")
    if genome.get("plot"):  # the label alone, since a whole plot takes a second
        figure = plt.figure(figsize=(1, 1))
        try:
            figure.text(0, 0, plot.build_label(data))
            figure.canvas.draw()
        finally:
            plt.close(figure)
    bakta_json.write_json(data, features, path / "json")


def judge(genome, path):
    try:
        write(genome, path)
    except Exception as e:
        return f"{type(e).__name__}: {e}"
    return ""


with tempfile.TemporaryDirectory() as path:
    json.dump([judge(genome, pathlib.Path(path)) for genome in json.load(sys.stdin)], sys.stdout)
