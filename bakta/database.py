#!/usr/bin/env python3
"""Makes a tiny but complete Bakta database (schema 6) that knows the genes of the made-up genome.

    database.py DIRECTORY

Every table, index and model that Bakta opens is there and is found through the same tools as in the published
database, but each holds a handful of made-up entries. All ids begin with FAKE or are out of range (99998).
Needs diamond, cmbuild, cmcalibrate and cmpress on PATH, and pyhmmer.
"""
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from pyhmmer import hmmer, plan7
from pyhmmer.easel import Alphabet, TextSequence

import genome as made_up
from genome import CLUSTER, DISTANT, DOMAIN, EXACT, EXPERT

TABLES = """
CREATE TABLE ups (hash BLOB PRIMARY KEY, length INTEGER NOT NULL, uniparc_id TEXT, ncbi_nrp_id TEXT, uniref100_id TEXT);
CREATE TABLE ips (uniref100_id TEXT PRIMARY KEY, uniref90_id TEXT, gene TEXT, product TEXT, ec_ids TEXT, go_ids TEXT);
CREATE TABLE psc (uniref90_id TEXT PRIMARY KEY, uniref50_id TEXT, gene TEXT, product TEXT, ec_ids TEXT, cog_id TEXT,
                  cog_category TEXT, kegg_orthology_id TEXT, go_ids TEXT);
CREATE TABLE pscc (uniref50_id TEXT PRIMARY KEY, product TEXT);
"""
COG_CATEGORIES = 'JKLDVTMNUOCGEFHIPQ'


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f'{command[0]} failed with {done.returncode}:\n{done.stdout}')


def make_diamond(path, entries, scratch):
    """A protein index; an entry is (title, protein)."""
    fasta = scratch / f'{path.name}.faa'
    fasta.write_text(''.join(f'>{title}\n{protein}\n' for title, protein in entries))
    run('diamond', 'makedb', '--in', str(fasta), '--db', str(path), '--threads', '1')


def make_hmms(path, entries):
    """A pressed library of profiles; an entry is (name, accession, protein)."""
    alphabet = Alphabet.amino()
    builder, background = plan7.Builder(alphabet), plan7.Background(alphabet)
    profiles = []
    for name, accession, protein in entries:
        profile, _, _ = builder.build(TextSequence(name=name, sequence=protein).digitize(alphabet), background)
        profile.accession = accession
        profile.cutoffs.gathering = 30.0, 30.0
        profiles.append(profile)
    hmmer.hmmpress(profiles, str(path))


def make_covariance_model(path, rna, scratch):
    alignment = scratch / f'{path.name}.sto'
    alignment.write_text('\n'.join([
        '# STOCKHOLM 1.0', f'#=GF ID {rna.name}', f'#=GF AC {rna.accession}', f'#=GF DE {rna.description}',
        '#=GF GA 40.00', '#=GF TC 40.00', '#=GF NC 39.90',
        f'{rna.name} {rna.sequence.replace("T", "U")}', f'#=GC SS_cons {rna.structure}', '//', '']))
    model = scratch / path.name
    run('cmbuild', '-F', str(model), str(alignment))
    run('cmcalibrate', '-L', '0.01', '--cpu', str(len(os.sched_getaffinity(0))), str(model))
    run('cmpress', '-F', str(model))
    for part in scratch.glob(f'{path.name}.i1?'):
        part.replace(path.with_name(part.name))


def distant(protein, dice):
    """A relative that shares some three quarters of the letters."""
    return protein[0] + ''.join(dice.letters(1, made_up.AMINO_ACIDS) if dice.random() < 0.27 else a for a in protein[1:])


def make_proteins(directory, genome, scratch):
    """Deals the genes to the ways in which Bakta recognizes a protein."""
    dice = made_up.Dice(seed=3)
    sql = sqlite3.connect(directory / 'bakta.db')
    sql.executescript(TABLES)
    clusters, experts, domains = [], [], []
    for number, (kind, protein) in enumerate(genome.genes, 1):
        exact, cluster, superset = f'FAKEU{number:04}', f'FAKEN{number:04}', f'FAKEF{number:04}'
        symbol = 'fak' + chr(ord('A') + number % 26)
        if kind == EXACT:
            sql.execute('INSERT INTO ups VALUES (?, ?, ?, ?, ?)', (
                hashlib.md5(protein.encode()).digest(), len(protein), f'FAKE{number:06}', f'9990{number:05}.1', exact))
            sql.execute('INSERT INTO ips VALUES (?, ?, ?, ?, ?, ?)', (
                exact, cluster, symbol, f'made-up enzyme {number}', '1.1.1.1', '0003824'))
        if kind in (EXACT, CLUSTER):
            sql.execute('INSERT INTO psc VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', (
                cluster, superset, symbol, f'made-up protein {number}', '', f'{9000 + number}',
                COG_CATEGORIES[number % len(COG_CATEGORIES)], '99999', '0005515'))
            clusters.append((cluster, protein))
        if kind == DISTANT:  # near enough for the larger cluster alone
            sql.execute('INSERT INTO psc VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', (
                cluster, superset, '', '', '', '', '', '', ''))
            clusters.append((cluster, distant(protein, dice)))
        if kind in (EXACT, CLUSTER, DISTANT):
            sql.execute('INSERT INTO pscc VALUES (?, ?)', (superset, f'made-up protein family {number}'))
        if kind == EXPERT:
            experts.append((f'FAKE{number:04} VFDB~~~90~~~85~~~80~~~80~~~{symbol}~~~made-up virulence factor {number}'
                            f'~~~VFDB:VFG9{number:05}', protein))
        if kind == DOMAIN:
            domains.append((f'Made_up_{number}', f'PF9{number:04}.1', protein[:100]))
    sql.execute('INSERT INTO ups VALUES (?, ?, ?, ?, ?)', (
        hashlib.md5(genome.leader.encode()).digest(), len(genome.leader), 'FAKE999999', '999099999.1', 'FAKEU9999'))
    sql.execute('INSERT INTO ips VALUES (?, ?, ?, ?, ?, ?)', ('FAKEU9999', '', 'fakL', 'made-up leader peptide', '', ''))
    sql.commit()
    sql.close()
    make_diamond(directory / 'psc.dmnd', clusters, scratch)
    make_diamond(directory / 'sorf.dmnd', [('FAKEN9999', genome.leader)], scratch)
    make_diamond(directory / 'expert-protein-sequences.dmnd', experts, scratch)
    make_hmms(directory / 'pfam', domains)
    make_hmms(directory / 'antifam', [('Made_up_spurious', 'ANF99999', dice.protein(90))])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    directory, genome = Path(sys.argv[1]), made_up.make()
    directory.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        make_proteins(directory, genome, scratch)
        for rna in genome.rnas:
            make_covariance_model(directory / rna.model, rna, scratch)
    (directory / 'rfam-go.tsv').write_text('RFAM:RF99998\tGO:0003674\n')
    (directory / 'oric.fna').write_text(f'>FAKEORIC1\n{genome.oric}\n')
    (directory / 'orit.fna').write_text(f'>FAKEORIT1\n{genome.orit}\n')
    (directory / 'amrfinderplus-db' / 'latest').mkdir(parents=True)
    version = {'date': '2025-02-24', 'major': 6, 'minor': 0, 'type': 'full'}
    (directory / 'version.json').write_text(json.dumps(version) + '\n')


if __name__ == '__main__':
    main()
