"""Has Baktfold's own code go through annotations, one for each path in a JSON list on stdin, from reading them to
writing its results. Only its two searches are left out. Prints a JSON list of the errors with which it ends, or "".

annotations.py PROGRAM  where PROGRAM is the set-up's baktfold.py
"""
import contextlib
import io
import json
import runpy
import sys
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
database = tempfile.mkdtemp()
sys.argv = [sys.argv[1], "make-database", database]
runpy.run_path(sys.argv[0], run_name="baktfold_setup")

import baktfold
from loguru import logger


def predict(hypotheticals, proteins, output, prefix, *rest, **options):
    for name, protein in proteins.items():
        f">{name}\n{'X' * len(protein)}\n"
    return hypotheticals


baktfold.subcommand_predict = predict
baktfold.subcommand_compare = lambda hypotheticals, *rest, **options: hypotheticals
baktfold.check_dependencies = lambda: None
baktfold.validate_db = lambda *rest: Path(database)


def judge(path):
    with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            baktfold.main_cli(["run", "--input", path, "--output", out, "--force", "--cpu"], standalone_mode=False)
            return ""
        except (SystemExit, Exception) as e:
            return f"{type(e).__name__}: {e}"
        finally:
            logger.remove()


json.dump([judge(path) for path in json.load(sys.stdin)], sys.stdout)
