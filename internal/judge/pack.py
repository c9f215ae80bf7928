"""Makes what only Python's libraries make here. Reads a JSON object with the names of the results and what they are made of,
prints one with the results, all bytes as base64.
"""
import base64
import bz2
import io
import json
import lzma
import sys

import pyrodigal

CHECKS = {'none': lzma.CHECK_NONE, 'crc32': lzma.CHECK_CRC32, 'crc64': lzma.CHECK_CRC64, 'sha256': lzma.CHECK_SHA256}


def make(recipe):
    data = base64.b64decode(recipe['data'])
    match recipe['make']:
        case 'bz2':
            return bz2.compress(data)
        case 'xz':
            filters = [{'id': lzma.FILTER_LZMA2, 'preset': recipe.get('preset', 6)}]
            if recipe.get('x86'):
                filters.insert(0, {'id': lzma.FILTER_X86})
            return lzma.compress(data, check=CHECKS[recipe.get('check', 'crc64')], filters=filters)
        case 'lzma':
            return lzma.compress(data, format=lzma.FORMAT_ALONE)
        case 'training':
            file = io.BytesIO()
            pyrodigal.GeneFinder().train(data.decode(), translation_table=recipe['table']).dump(file)
            return file.getvalue()


recipes = json.load(sys.stdin)
json.dump({name: base64.b64encode(make(recipe)).decode() for name, recipe in recipes.items()}, sys.stdout)
