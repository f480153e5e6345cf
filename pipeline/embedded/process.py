"""A child process with its own group, its log in a file, and a leash: it ends when its starter does.

Own group: Ctrl-C on the terminal reaches the starter alone, which then ends its children in the order that
loses nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from pipeline.embedded.errors import StartFailedError

_LEASH: Final = Path(__file__).with_name("leash.py")
_GRACE_SECONDS: Final = 10.0
_TAIL_BYTES: Final = 4000
_LOG_BYTES: Final = 10 * 1024 * 1024


class Child:
    """One run of `command`. Its output is appended to `log`, which is put aside first if it is large."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        _make_room(log)
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._leash = subprocess.Popen(  # noqa: S603 - commands are ours
                [sys.executable, "-I", "-S", str(_LEASH), str(_GRACE_SECONDS), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the leash, and of the group."""
        return self._leash.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + the number of the signal that ended it."""
        code = self._leash.poll()
        return code if code is None or code >= 0 else 128 - code

    def alive(self) -> bool:
        return self.exit_code is None

    def await_ready(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Waits until `is_ready`. Raises StartFailedError, with the log's end, if it ends or takes longer."""
        limit = time.monotonic() + seconds
        while not is_ready():
            if (code := self.exit_code) is not None:
                raise StartFailedError(
                    f"{self.name} ended with exit code {code} while starting; {self.last_words()}"
                )
            if time.monotonic() > limit:
                raise StartFailedError(
                    f"{self.name} was not ready after {seconds:.0f} s; {self.last_words()}"
                )
            time.sleep(0.02)

    def ask_to_end(self) -> None:
        """Sends SIGTERM and returns at once."""
        self._signal(signal.SIGTERM)

    def stop(self, seconds: float) -> int:
        """SIGTERM, then SIGKILL after `seconds`. Returns the exit code; no process of the group is left."""
        if seconds > 0:
            self.ask_to_end()
            self._wait(seconds)
        if self.alive():
            os.kill(self.pid, signal.SIGUSR1)  # the leash kills the command and sees it off
            self._wait(_GRACE_SECONDS)
        self._signal(signal.SIGKILL)
        self._leash.wait()
        if self._leash.stdin:
            self._leash.stdin.close()
        code = self.exit_code
        assert code is not None
        return code

    def _wait(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._leash.wait(seconds)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def last_words(self, lines: int = 8) -> str:
        """The last lines that this run wrote, for a message."""
        with self.log.open("rb") as handle:
            end = handle.seek(0, os.SEEK_END)
            handle.seek(max(self._log_start, end - _TAIL_BYTES))
            said = handle.read().decode("utf-8", "replace").strip().splitlines()[-lines:]
        if not said:
            return f"it wrote nothing to {self.log}."
        return f"the end of {self.log}:\n  " + "\n  ".join(said)


def _make_room(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_name(log.name + ".1"))
