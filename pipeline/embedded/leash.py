"""Holds a process on a leash: runs a command, and ends it when whoever started this one is gone.

Run as a file, on a bare interpreter (`python -I -S leash.py GRACE COMMAND …`), with standard input being a
pipe whose other end the starter holds and never writes to. The pipe closes however the starter ends, kill -9
included. Then the command gets SIGTERM, and SIGKILL after GRACE seconds. A pipe, not Linux's parent-death
signal: that one fires when the starting *thread* ends, and does not exist elsewhere.

The starter must have made this process the leader of its own group. SIGUSR1 kills the command at once. This
process ends when the command is gone, with its exit code, or 128 + the signal that ended it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    grace, command = float(sys.argv[1]), sys.argv[2:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited by the command
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
    signal.signal(signal.SIGUSR1, lambda *_: child.kill())
    threading.Thread(target=_watch, args=(child, grace), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _watch(child: subprocess.Popen[bytes], grace: float) -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
