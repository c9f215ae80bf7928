#!/usr/bin/env bash
# Bakta 1.12.2 on Python 3.11
#
# Expected: Bakta checks that its sequences have different ids, or refuses a name in the replicon table that is already taken when
# it reads the table.
#
# Observed: a sequence that the table doesn't name is called contig_N, where N is its place in the genome, and the table may have
# given contig_N to another sequence. Then both have the same id (qc_sequences in bakta/utils.py checks ids only with
# --keep-contig-headers). All steps run, each feature counts for both sequences, and everything is written twice. Only after the
# whole annotation does Bakta fail, with a KeyError at the JSON: there is no JSON and no summary.
#
# Relevant for a backend that accepts replicon tables from users: without its own check the run fails after its computing time, with
# a traceback that does not mention a table.
#
# This runs Bakta's own main program on a genome of two sequences. Steps that need its reference database, or programs that are not
# Python packages, are skipped or find nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONWARNINGS=ignore MPLCONFIGDIR="$work"

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check bakta==1.12.2 biopython==1.88 xopen==2.1.0 pyrodigal==3.7.1 pyhmmer==0.12.3

cat > "$work/show.py" <<'END'
import contextlib
import io
import logging
import random
import sys
from pathlib import Path

from bakta import db, main, psc, pscc, utils
from bakta.expert import amrfinder, protein_sequences
from bakta.features import cds, orf

work = Path(sys.argv[1])
db.check = lambda path: {'major': 6, 'minor': 0, 'type': 'light'}
utils.test_dependencies = lambda: None
pscc.search = lambda cdss: ([], cdss)
psc.lookup = pscc.lookup = lambda features, pseudo=False: None
amrfinder.search = protein_sequences.search = orf.detect_spurious = cds.predict_pfam = lambda *of: []

# Two sequences, each with one gene of 300 codons.
choice = random.Random(1).choice
codons = [c for c in (a + b + c for a in 'ACGT' for b in 'ACGT' for c in 'ACGT') if c not in ('TAA', 'TAG', 'TGA')]
genome = work / 'genome.fna'
genome.write_text(''.join(
    f'>{name}\nTTTAATTAATTAACAAGGAGGTATTTAC' + 'ATG' + ''.join(choice(codons) for _ in range(300)) + 'TAATTAATTAATTAA\n'
    for name in ('first', 'second')))


def annotate(name):
    """Runs Bakta with a table that calls the first sequence by that name; returns how it ended, and the output files."""
    table, output = work / f'{name}.tsv', work / name
    table.write_text(f'first\t{name}\tplasmid\tcircular\tpOne\n')
    sys.argv = ['bakta', '--db', str(work), '--output', str(output), '--prefix', 'a', '--replicons', str(table), '--threads', '1']
    steps = 'trna', 'tmrna', 'rrna', 'ncrna', 'ncrna-region', 'crispr', 'sorf', 'ori', 'plot'
    sys.argv += [str(genome), *(f'--skip-{step}' for step in steps)]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            main.main()
        end = 'success'
    except (Exception, SystemExit) as e:
        end = repr(e)
    logging.getLogger().handlers.clear()
    return end, said.getvalue().splitlines()[-1].strip(), {f.suffix: f.read_text() for f in output.iterdir()}


ends = {}
for name in ('plasmid_1', 'contig_2'):
    end, last, files = annotate(name)
    loci = [line.split('\t')[5] for line in files['.tsv'].splitlines() if line[0] != '#']
    ends[name] = end, '.json' in files, len(loci), len(set(loci))
    print(f'the first is called {name}: {end}, last said "{last}"; JSON: {".json" in files};',
          f'sequences: {[l.split()[0] for l in files[".fna"].splitlines() if l[0] == ">"]};',
          f'{len(loci)} coding sequences, loci {sorted(set(loci))}')
same = ends == {'plasmid_1': ('success', True, 2, 2), 'contig_2': ("KeyError('aa_digest')", False, 4, 2)}
print('as stated' if same else 'CHANGED')
sys.exit(not same)
END
"$work/venv/bin/python" "$work/show.py" "$work"
