#!/usr/bin/env bash
# Bakta 1.12.2 (xopen 2.1.0) on Python 3.11, beside XZ Utils 5.4
#
# Expected: Bakta and other users of xopen read in full whatever "xz -t" accepts, or raise an error.
#
# Observed: .xz files may have padding, groups of four zero bytes, after each of their streams. With padding between two streams
# Bakta silently takes the first one for the whole file; with padding at the end it calls the file invalid. The cause is Python's
# lzma, which takes data after a stream for the start of another one, or ignores it as garbage (CPython's issue 88300). xopen uses
# it only with threads=0, as Bakta (bakta/io/fasta.py) and Baktfold do; by default it starts the program xz, and the same call on
# the same file reads all of it.
#
# Relevant for a backend that accepts compressed genomes: another reader finds the whole genome valid, and Bakta then annotates a
# part of it and succeeds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONWARNINGS=ignore
xz --version | head -n 1

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check biopython==1.88 xopen==2.1.0
"$work/venv/bin/pip" install -q --disable-pip-version-check --no-deps bakta==1.12.2

cat > "$work/show.py" <<'END'
import subprocess
import sys
from pathlib import Path

from xopen import xopen

from bakta.io.fasta import import_sequences


def compress(text):
    return subprocess.run(['xz', '-c'], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout


def count(read):
    try:
        return f'{read()} sequences'
    except Exception as e:
        return type(e).__name__


first, second, padding = compress('>chromosome\nACGTACGT\n'), compress('>plasmid\nGGCCGGCC\n'), bytes(4)
want = {
    'no padding': (first + second, ['2 sequences'] * 3),
    'padding between': (first + padding + second, ['2 sequences', '2 sequences', '1 sequences']),
    'padding at the end': (first + second + padding, ['2 sequences', '2 sequences', 'EOFError']),
}
same = True
for name, (content, expected) in want.items():
    path = Path(sys.argv[1], 'genome.fna.xz')
    path.write_bytes(content)
    subprocess.run(['xz', '-t', path], check=True)
    got = [
        count(lambda: subprocess.run(['xz', '-dc', path], stdout=subprocess.PIPE, check=True).stdout.count(b'>')),
        count(lambda: xopen(path).read().count('>')),
        count(lambda: len(import_sequences(path))),
    ]
    print(f'{name}: xz: {got[0]}; xopen by default: {got[1]}; Bakta: {got[2]}')
    same = same and got == expected
print('as stated' if same else 'CHANGED')
sys.exit(not same)
END
"$work/venv/bin/python" "$work/show.py" "$work"
