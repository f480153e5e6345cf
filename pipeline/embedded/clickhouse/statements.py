"""What kind of statement a query is, from its text alone. The text goes to the engine less its end.

Three kinds: one whose rows stream (`rows`), one that the client's blocks follow (`insert`), any other.
What only a client can do (INTO OUTFILE), or this server can't (several statements, totals), is refused.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from pipeline.embedded.clickhouse.faults import NOT_IMPLEMENTED, SYNTAX_ERROR, ServerError


class Statement(NamedTuple):
    kind: Literal["rows", "insert", "other"]
    text: str
    """Without a trailing semicolon or FORMAT; of an insert, as far as its columns, or its input()."""
    settings: str = ""
    """Of an insert: its SETTINGS clause, or what follows its input()."""
    sample: str = ""
    """Of an insert: the SELECT that has the columns which the client must send."""
    structure: str = ""
    """Of an insert from input(): what it has in its brackets."""


_OPAQUE: Final = re.compile(
    r"""(?P<comment> --[^\n]* | /\*.*?\*/ | \#[!\ ][^\n]* )
      | '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*`
      | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$""",
    re.DOTALL | re.VERBOSE,
)
_TAIL: Final = re.compile(r"(?:\bFORMAT\s+\w+)?\s*;?\s*\Z", re.IGNORECASE)
_MORE: Final = re.compile(r";\s*\S")
_ROWS: Final = re.compile(r"[\s(]*(?:SELECT|WITH|FROM)\b", re.IGNORECASE)
_INSERT: Final = re.compile(r"\s*INSERT\s+INTO\b", re.IGNORECASE)
_VALUES: Final = re.compile(r"\bVALUES\s*\Z", re.IGNORECASE)
_TARGET: Final = re.compile(
    r"\s*INSERT\s+INTO\s+(?:TABLE\s+)?(?!FUNCTION\b)(?P<table>[\w\x00]+(?:\s*\.\s*[\w\x00]+)?)"
    r"\s*(?P<columns>\((?:[^()]|\([^()]*\))*\))?\s*(?P<settings>SETTINGS\b.*)?\Z",
    re.IGNORECASE | re.DOTALL,
)
_INPUT: Final = re.compile(r"\bFROM\s+(?P<call>input\s*\(\s*(?P<structure>\x00+)\s*\))", re.IGNORECASE)
_OUTFILE: Final = re.compile(r"\bINTO\s+OUTFILE\b", re.IGNORECASE)
_TOTALS: Final = re.compile(r"\bWITH\s+TOTALS\b", re.IGNORECASE)


def parse(query: str) -> Statement:
    """Raises ServerError for what is refused."""
    masked = _OPAQUE.sub(_mask, query)
    _refuse(masked)
    tail = _TAIL.search(masked)
    assert tail is not None  # it matches nothing at the end
    end, with_format = tail.start(), "FORMAT" in tail[0].upper()
    if _INSERT.match(masked):
        return _parse_insert(query, masked, end, with_format)
    kind: Literal["rows", "other"] = "rows" if _ROWS.match(masked) else "other"
    return Statement(kind, query[:end].rstrip())


def _mask(found: re.Match[str]) -> str:
    """Of the same length, so that positions stay: comments are blanks, what is quoted is part of a word."""
    return (" " if found["comment"] else "\0") * len(found[0])


def _refuse(masked: str) -> None:
    if more := _MORE.search(masked):
        raise ServerError(
            SYNTAX_ERROR,
            f"Syntax error (Multi-statements are not allowed): failed at position {more.start() + 1}",
        )
    if _OUTFILE.search(masked):
        raise ServerError(NOT_IMPLEMENTED, "INTO OUTFILE is the client's to carry out, not the server's.")
    if _TOTALS.search(masked):
        raise ServerError(NOT_IMPLEMENTED, "The embedded ClickHouse returns no totals: use GROUPING SETS.")


def _parse_insert(query: str, masked: str, end: int, with_format: bool) -> Statement:
    if source := _INPUT.search(masked):
        structure = query[slice(*source.span("structure"))]
        before, after = query[: source.start("call")], query[source.end("call") : end].rstrip()
        return Statement("insert", before, after, f"SELECT * FROM null({structure})", structure)  # noqa: S608
    values = _VALUES.search(masked[:end])
    if not values and not with_format:
        return Statement("other", query[:end].rstrip())  # INSERT … SELECT, or with its values in the text
    head = masked[: values.start() if values else end]
    target = _TARGET.match(head)
    if not target:
        raise ServerError(
            NOT_IMPLEMENTED,
            "The embedded ClickHouse takes blocks only for INSERT INTO [database.]table [(columns)] VALUES "
            "or INSERT INTO … SELECT … FROM input('…').",
        )
    table = query[slice(*target.span("table"))]
    columns = query[slice(*target.span("columns"))][1:-1] if target["columns"] else "*"
    sample = f"SELECT {columns} FROM {table}"  # noqa: S608 - the client may run any statement
    end_of_target = target.start("settings") if target["settings"] else len(head)
    return Statement(
        "insert", query[:end_of_target].rstrip(), query[end_of_target : len(head)].rstrip(), sample
    )
