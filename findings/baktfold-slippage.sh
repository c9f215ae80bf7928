#!/usr/bin/env bash
# Baktfold 0.3.0 with Bakta 1.12.2 on Python 3.11
#
# Expected: Baktfold, whose input is Bakta's JSON, reads every JSON that Bakta writes.
#
# Observed: a coding sequence with ribosomal slippage, which Bakta imports from a GenBank file of regions, has an "exception"
# without a "codon_position" in the JSON. Baktfold takes every exception for a selenocysteine and reads that position when it writes
# its GFF3 file (baktfold/io/gff.py, and also insdc.py). That is after all predictions and searches: the run always ends with a
# KeyError, an unfinished GFF3 file and no JSON.
#
# Relevant for a backend that chains the two: the first stage succeeds, its results are correct by Bakta's own measure, and the
# second one wastes its whole time, possibly on a GPU.
#
# Bakta runs as its own main program; steps that need its reference database, or programs that are not Python packages, are skipped
# or find nothing. Of Baktfold, this calls the code that reads its input and writes its results. The libraries of its models, which
# this code doesn't use, are empty stand-ins.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONWARNINGS=ignore MPLCONFIGDIR="$work"

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check bakta==1.12.2 biopython==1.88 xopen==2.1.0 pyrodigal==3.7.1 pyhmmer==0.12.3 \
  click==8.5.1 loguru==0.7.3 tqdm==4.70.1
"$work/venv/bin/pip" install -q --disable-pip-version-check --no-deps baktfold==0.3.0

cat > "$work/show.py" <<'END'
import contextlib
import io
import json
import random
import sys
from pathlib import Path
from unittest.mock import MagicMock

from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqFeature import CompoundLocation, SeqFeature, SimpleLocation
from Bio.SeqRecord import SeqRecord

from bakta import db, main, psc, pscc, utils
from bakta.expert import amrfinder, protein_sequences
from bakta.features import cds, orf

work = Path(sys.argv[1])
db.check = lambda path: {'major': 6, 'minor': 0, 'type': 'light'}
utils.test_dependencies = lambda: None
pscc.search = lambda cdss: ([], cdss)
psc.lookup = pscc.lookup = lambda features, pseudo=False: None
amrfinder.search = protein_sequences.search = orf.detect_spurious = cds.predict_pfam = lambda *of: []

# One gene whose ribosome slips as that of release factor 2 does: behind CTT one T is passed over.
choice = random.Random(2).choice
codons = [c for c in (a + b + c for a in 'ACGT' for b in 'ACGT' for c in 'ACGT') if c not in ('TAA', 'TAG', 'TGA')]
before = 'ATG' + ''.join(choice(codons) for _ in range(24)) + 'CTT'
behind = 'GAC' + ''.join(choice(codons) for _ in range(150)) + 'TAA'
gene, upstream = before + 'T' + behind, 'TTTAATTAATTAACAAGGAGGTATTTAC'
nucleotides = upstream + gene + 'TTAATTAATTAA'
protein = str(Seq(before + behind).translate(table=11, cds=True))
genome, regions = work / 'genome.fna', work / 'regions.gbk'
genome.write_text(f'>seq1\n{nucleotides}\n')


def annotate(slippage):
    """Runs Bakta, with the gene as a region that slips or with none; returns its JSON."""
    output = work / f'bakta-{slippage}'
    sys.argv = ['bakta', '--db', str(work), '--output', str(output), '--prefix', 'a', '--threads', '1', '--keep-contig-headers',
                str(genome)]
    sys.argv += [f'--skip-{step}' for step in ('trna', 'tmrna', 'rrna', 'ncrna', 'ncrna-region', 'crispr', 'sorf', 'ori', 'plot')]
    if slippage:
        at = len(upstream)
        parts = [SimpleLocation(at, at + len(before), 1), SimpleLocation(at + len(before) + 1, at + len(gene), 1)]
        feature = SeqFeature(CompoundLocation(parts), type='CDS', qualifiers={
            'ribosomal_slippage': None, 'codon_start': '1', 'transl_table': '11', 'translation': protein})
        record = SeqRecord(Seq(nucleotides), id='seq1', name='seq1', annotations={'molecule_type': 'DNA'}, features=[feature])
        SeqIO.write(record, regions, 'genbank')
        sys.argv += ['--regions', str(regions)]
    with contextlib.redirect_stdout(io.StringIO()):
        main.main()
    return output / 'a.json'


annotations = {slippage: annotate(slippage) for slippage in (False, True)}

for name in ('torch', 'torch.nn', 'torch.nn.functional', 'transformers', 'h5py', 'huggingface_hub'):
    sys.modules[name] = MagicMock()
from baktfold.io import io as results, json_in
from loguru import logger

logger.remove()
same = True
for slippage, annotation in annotations.items():
    output = work / f'baktfold-{slippage}'
    output.mkdir()
    data, features, duplicates, table, prokka, other, version = json_in.parse_json_input(str(annotation), output / 'a.faa', False, False)
    features = data['features']
    by_sequence = {s['id']: [f for f in features if f['sequence'] == s['id']] for s in data['sequences']}
    try:
        results.write_bakta_outputs(data, features, by_sequence, output, 'a', False, False, duplicates, False, table, prokka, other,
                                    '', '', '', '', '', version)
        end = 'success'
    except Exception as e:
        end = repr(e)
    exceptions = [f['exception'] for f in features if 'exception' in f]
    written = (output / 'a.json').exists()
    print(f'{"with" if slippage else "without"} slippage: Bakta writes {len(features)} features, exceptions: {json.dumps(exceptions)};',
          f'Baktfold: {end}, JSON: {written}')
    same = same and (end, written, len(exceptions)) == (("KeyError('codon_position')", False, 1) if slippage else ('success', True, 0))
print('as stated' if same else 'CHANGED')
sys.exit(not same)
END
"$work/venv/bin/python" "$work/show.py" "$work"
