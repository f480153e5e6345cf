"""`throughline` as a process of its own, with the settings that a test gives it and nobody else's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from small_shop import SmallShop

NOWHERE = "127.0.0.1:9"
"""Nobody listens there."""
COMMAND = (sys.executable, "-m", "pipeline")


@dataclass(frozen=True)
class Done:
    """What a command ended with and printed."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Its standard error on one line, without frames."""
        return " ".join(re.sub(r"[│╭╮╰╯─]", " ", self.err).split())


Throughline = Callable[..., Done]
"""A command run in the test's own process, or `CommandLine`."""


class CommandLine:
    """Runs commands in `folder` with `settings`, names as in docs/settings.md without the prefix."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.folder = folder
        self.settings = {f"THROUGHLINE_{name.upper()}": str(value) for name, value in settings.items()}

    def start(self, *arguments: object, **settings: object) -> subprocess.Popen[str]:
        """Its standard input is closed; it leads a group of its own, as on a terminal."""
        given = {f"THROUGHLINE_{name.upper()}": str(value) for name, value in settings.items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env={**inherited, **self.settings, **given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *arguments: object, within: float = 90.0, **settings: object) -> Done:
        return ended(self.start(*arguments, **settings), within)


def ended(process: subprocess.Popen[str], within: float = 90.0) -> Done:
    """Wait for it; whatever it did wrong, it shows no traceback and no library's own lines."""
    try:
        out, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        process.terminate()
        out, err = process.communicate(timeout=30)
        raise AssertionError(f"it did not end within {within:.0f} s; it said: {out}{err}") from None
    assert "Traceback" not in out + err, out + err
    assert not any(line.startswith("%") for line in (out + err).splitlines()), out + err
    return Done(process.returncode, out, err)


@dataclass(frozen=True)
class Replayed:
    """A replay of the small shop on real services: its name, its first summary, and commands with its settings."""

    name: str
    summary: dict[str, Any]
    shop: SmallShop
    throughline: CommandLine
