"""Reads each file that is named on stdin, one in a line, with the reader that Bakta uses. Prints a JSON list of what was
read, or null where the reader refuses the file.
"""
import json
import sys

from xopen import xopen


def read(path):
    try:
        with xopen(path, threads=0) as fh:
            return fh.read()
    except Exception:
        return None


json.dump([read(path) for path in sys.stdin.read().splitlines()], sys.stdout)
