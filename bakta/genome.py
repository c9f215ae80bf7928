#!/usr/bin/env python3
"""A made-up bacterial genome of some 60 kb in which nearly every kind of feature occurs that Bakta looks for.

    genome.py > genome.fna

The same bytes each time. Everything is drawn at random from a fixed seed, but for one tRNA of E. coli: no
made-up sequence would fold the way that a tRNA has to. database.py makes a database that knows its genes.
"""
import random
import sys
from dataclasses import dataclass, field

AMINO_ACIDS = 'A' * 9 + 'R' * 5 + 'N' * 4 + 'D' * 5 + 'C' + 'Q' * 4 + 'E' * 6 + 'G' * 7 + 'H' * 2 + 'I' * 6 + \
    'L' * 10 + 'K' * 5 + 'M' * 3 + 'F' * 4 + 'P' * 4 + 'S' * 6 + 'T' * 5 + 'W' + 'Y' * 3 + 'V' * 7
GENETIC_CODE = 'FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG'  # codons in the order TCAG
TRNA = 'GCCCGGATAGCTCAGTCGGTAGAGCAGGGGATTGAAAATCCCCGTGTCCTTGGTTCGATTCCGAGTCCGGGCACCA'  # tRNA-Phe
STOPS = 'TAACTAACTAA'  # in each frame, so that no gene can begin before its own start codon
SHINE_DALGARNO = 'AGGAGG'

# What database.py does with a gene: how Bakta will find it, or not.
EXACT, CLUSTER, DISTANT, EXPERT, DOMAIN, UNKNOWN = 'exact', 'cluster', 'distant', 'expert', 'domain', 'unknown'
KINDS = (EXACT, CLUSTER, DISTANT, UNKNOWN, EXPERT, EXACT, DOMAIN, CLUSTER)


@dataclass
class RNA:
    """A structured RNA and what its covariance model is called."""
    model: str  # the database file that it belongs to
    name: str
    accession: str
    description: str
    sequence: str
    structure: str  # in Stockholm's brackets


@dataclass
class Genome:
    records: list = field(default_factory=list)  # (header, nucleotides)
    genes: list = field(default_factory=list)    # (kind, protein)
    rnas: list = field(default_factory=list)
    leader: str = ''                             # a protein too short for gene finders
    oric: str = ''
    orit: str = ''


class Dice:
    """Draws letters. Only random() is used: its sequence is the same in every version of Python."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, n):
        return int(self.random() * n)

    def letters(self, n, alphabet='ACGT'):
        return ''.join(alphabet[self.below(len(alphabet))] for _ in range(n))

    def protein(self, length):
        return 'M' + self.letters(length - 1, AMINO_ACIDS)

    def codon(self, amino_acid):
        """One of its codons, most often one that ends with G or C, as real genes have habits too."""
        codons = ['TCAG'[i // 16] + 'TCAG'[i // 4 % 4] + 'TCAG'[i % 4] for i, a in enumerate(GENETIC_CODE) if a == amino_acid]
        preferred = [c for c in codons if c[2] in 'GC'] or codons
        chosen = preferred if self.random() < 0.75 else codons
        return chosen[self.below(len(chosen))]

    def coding(self, protein):
        return ''.join('ATG' if i == 0 else self.codon(a) for i, a in enumerate(protein)) + 'TAA'

    def gene(self, coding):
        """A coding sequence behind a ribosome's binding site, with room on both sides."""
        return self.letters(20) + STOPS + SHINE_DALGARNO + self.letters(7) + coding + self.letters(25)

    def either_strand(self, nt):
        return nt if self.random() < 0.6 else reverse_complement(nt)

    def hairpins(self, stems, tail):
        """Stem-loops in a row, and their structure."""
        sequence, structure = self.letters(8), '.' * 8
        for length in stems:
            stem = self.letters(length)
            sequence += stem + 'GAAA' + reverse_complement(stem) + self.letters(6)
            structure += '<' * length + '_' * 4 + '>' * length + '.' * 6
        return sequence + self.letters(tail), structure + '.' * tail


def reverse_complement(nt):
    return nt[::-1].translate(str.maketrans('ACGT', 'TGCA'))


def make(seed=1122):
    dice, genome = Dice(seed), Genome()
    for model, name, accession, description, stems, tail in (
            ('rRNA', '5S_rRNA', 'RF00001', '5S ribosomal RNA (made up)', (14, 12, 10), 5),
            ('ncRNA-genes', 'fakS', 'RF99998', 'made-up antisense RNA', (13, 11), 10),
            ('ncRNA-regions', 'fak_switch', 'RF99999', 'made-up riboswitch', (12, 12), 10)):
        genome.rnas.append(RNA(model, name, accession, description, *dice.hairpins(stems, tail)))
    genome.oric, genome.orit = dice.letters(280), dice.letters(220)
    repeat = dice.letters(29)
    crispr = ''.join(repeat + dice.letters(32) for _ in range(6)) + repeat
    chromosome = [TRNA, genome.oric, crispr] + [rna.sequence for rna in genome.rnas]

    def genes(count, extras):
        parts = []
        for i in range(count):
            kind, protein = KINDS[len(genome.genes) % len(KINDS)], dice.protein(110 + dice.below(330))
            genome.genes.append((kind, protein))
            parts.append(dice.either_strand(dice.gene(dice.coding(protein))))
            if i % 4 == 1 and extras:
                parts.append(dice.letters(60) + extras.pop(0) + dice.letters(60))
        return ''.join(parts)

    nt = genes(48, chromosome)
    genome.leader = dice.protein(26)
    nt += dice.letters(60) + dice.gene(dice.coding(genome.leader)) + dice.letters(60)
    # A gene that lost a base: a copy of a known one, so that it is recognized as a pseudogene.
    known = max((protein for kind, protein in genome.genes if kind == CLUSTER), key=len)
    broken = dice.coding(known)
    cut = len(broken) * 6 // 10
    nt += dice.gene(broken[:cut] + broken[cut + 1:]) + dice.letters(200)
    genome.records.append(('demo_chromosome made-up chromosome', nt))
    genome.records.append(('demo_plasmid made-up plasmid, complete sequence', genes(9, [genome.orit])))
    genome.records.append(('demo_contig made-up contig', genes(2, []) + dice.letters(150) + 'N' * 100 + genes(2, [])))
    return genome


def write_fasta(records, file):
    for header, nt in records:
        file.write(f'>{header}\n')
        for i in range(0, len(nt), 70):
            file.write(nt[i:i + 70] + '\n')


if __name__ == '__main__':
    write_fasta(make().records, sys.stdout)
