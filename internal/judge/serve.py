"""Runs Bakta's programs again and again without loading them again: for each line on stdin, a JSON object with the
program's script, its arguments, files for its output and a limit in seconds, a copy of this process becomes the
program. Its exit code is printed; -9 is one that was ended at the limit.
"""
import json
import os
import runpy
import signal
import sys

import bakta.main
import bakta.proteins


def become(script, arguments, stdout, stderr):
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), number)
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name='__main__')


while line := sys.stdin.readline():
    request = json.loads(line)
    child = os.fork()
    if child == 0:
        become(request['script'], request['arguments'], request['stdout'], request['stderr'])
        sys.exit(0)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(request['limit'])
    _, status = os.waitpid(child, 0)
    signal.alarm(0)
    print(os.waitstatus_to_exitcode(status), flush=True)
