#!/usr/bin/env bash
# Bakta 1.12.2 on Python 3.11 (Biopython 1.88)
#
# Expected: a GenBank file of regions (bakta --regions) gives each imported coding sequence its own protein; a coding sequence that
# Bakta can't translate is skipped or refused.
#
# Observed: a coding sequence with a /transl_except other than aa:Sec, such as pyrrolysine, silently gets the protein of the
# previous coding sequence. Without a previous one, Bakta calls the whole file invalid. The /translation in the file is used in
# neither case (import_user_cdss in bakta/features/cds.py).
#
# Relevant for a backend that accepts GenBank files from users: the run succeeds, and the results have a wrong protein, with the
# annotation of that protein, at the right place.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONWARNINGS=ignore

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check bakta==1.12.2 biopython==1.88 xopen==2.1.0 pyrodigal==3.7.1 pyhmmer==0.12.3

cat > "$work/show.py" <<'END'
import logging
import sys
from pathlib import Path

from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqFeature import SeqFeature, SimpleLocation
from Bio.SeqRecord import SeqRecord

import bakta.config as cfg
from bakta.features.cds import import_user_cdss

logging.disable(logging.CRITICAL)
cfg.translation_table, cfg.keep_sequence_headers = 11, True
plain = 'ATGGCTGGTCGTGAACTGTAA'  # M A G R E L
amber = 'ATGAAATAGGTTCCGACCTAA'  # M K, pyrrolysine for TAG, V P T
genome = 'CCCCC' + plain + 'CCCC' + amber + 'CCC'


def coding(gene, protein, exception=None):
    start = genome.index(gene)
    qualifiers = {'codon_start': '1', 'transl_table': '11', 'translation': protein}
    if exception is not None:
        at = start + exception
        qualifiers['transl_except'] = f'(pos:{at + 1}..{at + 3},aa:Pyl)'
    return SeqFeature(SimpleLocation(start, start + len(gene), strand=1), type='CDS', qualifiers=qualifiers)


def imported(name, *features):
    """Writes the features as GenBank, and returns what Bakta takes of them, as (start, protein)."""
    path = Path(sys.argv[1], name)
    record = SeqRecord(Seq(genome), id='seq1', name='seq1', annotations={'molecule_type': 'DNA'}, features=list(features))
    SeqIO.write(record, path, 'genbank')
    assert [f.qualifiers['translation'] for f in SeqIO.read(path, 'genbank').features] == [[f.qualifiers['translation']] for f in features]
    try:
        cdss, skipped = import_user_cdss({'sequences': [{'id': 'seq1', 'nt': genome, 'length': len(genome)}]}, path)
    except SystemExit as e:
        return str(e)
    return [(int(cds['start']), cds['aa']) for cds in cdss], f'{skipped} skipped'


first, second = coding(plain, 'MAGREL'), coding(amber, 'MKOVPT', exception=6)
both, alone = imported('both.gbk', first, second), imported('alone.gbk', second)
print('in the file:', [(int(f.location.start) + 1, f.qualifiers['translation']) for f in (first, second)])
print('imported of it:', *both)
print('imported of the second alone:', alone)
same = both == ([(6, 'MAGREL'), (31, 'MAGREL')], '0 skipped') and 'format not valid' in alone
print('as stated' if same else 'CHANGED')
sys.exit(not same)
END
"$work/venv/bin/python" "$work/show.py" "$work"
