"""Text files line by line, gzipped or not, in an encoding that may be broken here and there.

In: a file and its encoding. Out: decoded lines. Always holds: a line that is not of the encoding is marked
by `undecoded`, never dropped; the raw text of the row under way is kept until `forget`.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pipeline.imports.sources import SourceError

_UNDECODED = re.compile("[\udc80-\udcff]")


class TextFile:
    """One open file; `undecoded` is the line, in the row under way, that is not of the encoding, else 0."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path = path
        try:
            self._raw = path.open("rb")
        except OSError as error:
            raise SourceError(f"{path}: it can't be opened ({error.strerror})") from error
        unzipped: Any = gzip.GzipFile(fileobj=self._raw) if path.name.lower().endswith(".gz") else self._raw
        plain = "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
        self._text: TextIO = io.TextIOWrapper(unzipped, plain, errors="surrogateescape", newline="")
        self._line = 0
        self.pending: list[str] = []
        self.undecoded = 0

    def lines(self) -> Iterator[str]:
        pending, search = self.pending, _UNDECODED.search
        try:
            for line in self._text:
                self._line += 1
                if not line.isascii() and search(line):
                    self.undecoded = self._line
                pending.append(line)
                yield line
        except (UnicodeError, EOFError, OSError, zlib.error) as error:
            raise SourceError(
                f"{self.path}:{self._line + 1}: it can't be read on from here ({error})"
            ) from error

    def broken(self) -> str:
        """The raw text of the row under way, fit for JSON; forgets it."""
        raw = "".join(self.pending).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        self.forget()
        return raw

    def forget(self) -> None:
        self.pending.clear()
        self.undecoded = 0

    def position(self) -> int:
        return self._raw.tell()

    def close(self) -> None:
        self._text.close()
        self._raw.close()  # closing a gzip stream leaves the file under it open
