"""Reads each text of a JSON list on stdin as Bakta reads a replicon table. Prints a JSON list of null, where it finds no
separator, or {"dialect": [separator, quote, doubled, skip blanks], "rows": [[field, ...], ...]}.
"""
import csv
import io
import json
import sys


def read(text):
    try:
        dialect = csv.Sniffer().sniff(text[:1024], delimiters=",\t")
    except csv.Error:
        return None
    rows = [row for row in csv.reader(io.StringIO(text, newline="\n"), dialect) if row]
    return {"dialect": [dialect.delimiter, dialect.quotechar, dialect.doublequote, bool(dialect.skipinitialspace)], "rows": rows}


json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
