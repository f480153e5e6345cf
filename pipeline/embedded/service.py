"""What the embedded services share: a folder of their own, a child process, and how both change hands.

One process at a time starts a service in a folder. If its last starter was killed, what that one started is
being ended by its leash; the next start waits for that, so that `kill -9` and starting again just works.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

from pipeline.embedded.folder import FolderLock
from pipeline.embedded.process import Child

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_HANDOVER_SECONDS: Final = 15.0


class Service(ABC):
    """A server in a child process, which writes to `log`. Its errors are EmbeddedErrors."""

    name: ClassVar[str]

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        self.folder = folder.resolve()
        self.log = log or self.folder / f"{self.name.lower()}.log"
        self._lock = FolderLock(self.folder)
        self._pid_file = self.folder / "pid"
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """Of the process's leash, which leads its group; None while it is not running."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Returns when the service answers. What fails to start is ended."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """The first half of `start`: returns when the process runs."""
        self._lock.acquire(self.name)
        with self._ended_if_this_fails():
            self._await_last_one()
            self._child = Child(self.name, self._prepare(), self.log)
            self._pid_file.write_text(str(self._child.pid), "ascii")

    def await_ready(self) -> None:
        """The second half: returns when it answers."""
        assert self._child is not None
        with self._ended_if_this_fails():
            self._child.await_ready(self.is_ready, _START_SECONDS)

    @contextmanager
    def _ended_if_this_fails(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Lets it finish what it holds; kills it if that takes longer than 20 s."""
        self._end(_STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._end(0)

    def alive(self) -> bool:
        return self._child is not None and self._child.alive()

    @property
    def exit_code(self) -> int | None:
        """None while it runs, and before and after."""
        return self._child.exit_code if self._child else None

    def last_words(self) -> str:
        """The end of its log, for a message."""
        return self._child.last_words() if self._child else f"see {self.log}."

    @abstractmethod
    def is_ready(self) -> bool:
        """Does it answer?"""

    @abstractmethod
    def _prepare(self) -> list[str]:
        """Makes the folder ready, checks the ports, and returns the command."""

    def _end(self, seconds: float) -> None:
        if self._child:
            self._child.stop(seconds)
            self._child = None
            self._pid_file.unlink(missing_ok=True)
        self._lock.release()

    def _await_last_one(self) -> None:
        """This process holds the folder's lock, so a process that still runs here has lost its starter."""
        limit = time.monotonic() + _HANDOVER_SECONDS
        while self._last_one_runs() and time.monotonic() < limit:
            time.sleep(0.05)

    def _last_one_runs(self) -> bool:
        try:
            os.kill(int(self._pid_file.read_text("ascii")), 0)
        except (OSError, ValueError):
            return False
        return True
