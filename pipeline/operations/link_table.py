"""Links from a table: who is known to be one person already, from a CRM's or another system's export.

In: a CSV file with the columns `one` and `other`, each KIND=VALUE, and perhaps `time`, an RFC 3339 instant. Out: links.
What always holds: a file with a wrong line gives none of its links, and every wrong line is named.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pipeline.core.instants import micros, moment, parse_instant
from pipeline.errors import ThroughlineError
from pipeline.operations.identity_words import Identifier, Identify, check_word, parse_identifier
from schemas.identifiers import IdentifierKind

_TOLD = 20
_COLUMNS = {"one", "other", "time"}


class LinkTableError(ThroughlineError):
    """A table that can't be imported; the message names its wrong lines and what is wrong with them."""


class Link(NamedTuple):
    """`time` is None where the table says none."""

    one: Identifier
    other: Identifier
    time: datetime | None


def check_links(path: Path, kinds: Mapping[str, IdentifierKind], identify: Identify) -> int:
    """How many links the table has. Raises LinkTableError, with all that is wrong with it."""
    wrong: list[str] = []
    count = 0
    for line, row in _rows(path):
        try:
            link = _link(row)
            check_word(link.one, link.other, kinds, identify, micros(link.time or datetime.now(UTC)))
            count += 1
        except (ThroughlineError, ValueError) as error:
            wrong.append(f"{path}:{line}: {error}")
    if wrong:
        more = f"\n… and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        raise LinkTableError("\n".join(wrong[:_TOLD]) + more + "\nnothing was sent")
    return count


def read_links(path: Path) -> Iterator[Link]:
    """The links of a table that was checked."""
    return (_link(row) for _, row in _rows(path))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True, restkey="", restval="")
            columns = set(reader.fieldnames or ())
            if not {"one", "other"} <= columns <= _COLUMNS:
                found = ", ".join(reader.fieldnames or ()) or "nothing"
                raise LinkTableError(
                    f"{path}:1: the first line names the columns: one,other or one,other,time; it has {found}"
                )
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LinkTableError(f"{path} can't be read as a CSV file in UTF-8 ({error})") from error


def _link(row: Mapping[str, str]) -> Link:
    if "" in row:
        raise ValueError("it has more values than there are columns; quote a value that has a comma in it")
    time = row.get("time")
    return Link(
        parse_identifier(row["one"]), parse_identifier(row["other"]), _instant(time) if time else None
    )


def _instant(text: str) -> datetime:
    try:
        found = moment(parse_instant(text))
    except ValueError:
        raise ValueError(
            f"{text!r} is no time; write an RFC 3339 instant such as 2026-05-01T10:00:00Z"
        ) from None
    if not datetime(1970, 1, 1, tzinfo=UTC) <= found <= datetime.now(UTC) + timedelta(days=1):
        raise ValueError(f"{text!r} is before 1970 or in the future")
    return found
