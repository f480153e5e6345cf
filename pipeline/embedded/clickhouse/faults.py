"""Exceptions as ClickHouse's clients see them: a code, and a message that ends with the code's name."""

from __future__ import annotations

import re
from typing import Final

SYNTAX_ERROR: Final = (62, "SYNTAX_ERROR")
NOT_IMPLEMENTED: Final = (48, "NOT_IMPLEMENTED")
UNKNOWN_SETTING: Final = (115, "UNKNOWN_SETTING")
UNKNOWN_EXCEPTION: Final = (1002, "UNKNOWN_EXCEPTION")
QUERY_WAS_CANCELLED: Final = (394, "QUERY_WAS_CANCELLED")

_CHDB = re.compile(r"Code: (\d+)\. DB::(?:\w+)?Exception: (.*?)(?: \(version [^()]*\))?\s*$", re.DOTALL)


class ServerError(Exception):
    """What a client asked for failed; it is told, and its connection goes on."""

    def __init__(self, code: tuple[int, str], message: str) -> None:
        super().__init__(message)
        self.code, name = code
        self.message = f"DB::Exception: {message} ({name})"

    @classmethod
    def from_chdb(cls, error: Exception) -> ServerError:
        """chDB's words carry the code: `Code: 60. DB::Exception: Table … does not exist. (UNKNOWN_TABLE)`."""
        said = _CHDB.search(str(error))
        if not said:
            return cls(UNKNOWN_EXCEPTION, str(error))
        known = cls((int(said[1]), ""), "")
        known.message = f"DB::Exception: {said[2]}"
        return known


class ProtocolError(Exception):
    """Bytes that no client of this protocol sends: the connection is of no further use."""
