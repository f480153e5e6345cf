"""What did not become a touchpoint, told on standard error: rejected rows of tables, and dead letters of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.markup import escape

from pipeline.cli.console import err, warn
from pipeline.core.dead_letters import letter_of
from pipeline.core.run import MemoryRecord
from pipeline.imports.mapping import LoadedMapping
from pipeline.imports.reasons import Reasons
from pipeline.imports.report import ImportReport
from schemas.dead_letter import DeadLetter

_MOST_REASONS = 10


def tell_rejections(report: ImportReport, rejects: Path | None, mapping: LoadedMapping) -> None:
    """Name the first rejected rows, if these are not all how often each reason came, and where all of them are."""
    for rejection in report.first_rejections:
        _tell("rejected", str(rejection))
    reasons = report.reasons
    if reasons.counts.total() + reasons.others > len(report.first_rejections):
        _tell_reasons(report)
    if report.rejected_rows:
        rows = "1 row" if report.rejected_rows == 1 else f"{report.rejected_rows} rows"
        _say(f"{rows} could not be mapped; {_kept(rejects)}")
    for place, table, _ in mapping.content.events():
        name = f"{table}.{place[-1]}"
        if report.rejected[name] and report.rejected[name] == report.rows_of(name):
            what = f"it made nothing, as each of its rows ({report.rows_of(name):,}) was rejected"
            warn(str(mapping.document.problem(place, what)))


def _tell_reasons(report: ImportReport) -> None:
    reasons = report.reasons
    for key, count in reasons.counts.most_common(_MOST_REASONS):
        event, first = key[0], reasons.first[key]
        of = (
            f"{event}: {count:,} of {report.rows_of(event):,} rows" if event else f"{count:,} rows as a whole"
        )
        why = f"{first.file}:{first.line}: {first.reason}"
        _say(f"{of} {'was' if count == 1 else 'were'} rejected; first: {why}")
    _say_more(reasons)


def tell_dead_letters(letters: Sequence[MemoryRecord], rejects: Path | None) -> None:
    """Name the first of each code and path with how many there are, and keep all of them beside the rejected rows."""
    if not letters:
        return
    reasons: Reasons[tuple[str, str], str] = Reasons()
    for record in letters:
        letter = letter_of(record)
        reasons.add((letter.code, letter.path), _told(letter, record))
    for key, count in reasons.counts.most_common(_MOST_REASONS):
        more = f" ({count - 1:,} more for the same)" if count > 1 else ""
        _tell("dead letter", reasons.first[key] + more)
    _say_more(reasons)
    if rejects:
        _keep(letters, rejects)
    became = "1 touchpoint became a dead letter"
    if len(letters) > 1:
        became = f"{len(letters):,} touchpoints became dead letters"
    _say(f"{became}; {_kept(rejects)}")


def _told(letter: DeadLetter, record: MemoryRecord) -> str:
    touchpoint = _decoded(record)
    names = (touchpoint.get(name) for name in ("source", "id")) if isinstance(touchpoint, dict) else ()
    at = f" at {letter.path}" if letter.path else ""
    return f"{' '.join(str(name) for name in names if name)}: {letter.code}{at}: {letter.message}"


def _keep(letters: Sequence[MemoryRecord], rejects: Path) -> None:
    with rejects.open("ab") as file:
        for record in letters:
            letter, touchpoint = letter_of(record), _decoded(record)
            said = {
                "code": letter.code,
                "path": letter.path,
                "reason": letter.message,
                "touchpoint": touchpoint,
            }
            file.write(msgspec.json.encode(said) + b"\n")


def _decoded(record: MemoryRecord) -> Any:
    """The touchpoint, or what there is in its place as text."""
    value = record.value or b""
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value.decode("utf-8", "backslashreplace")


def _say_more(reasons: Reasons[Any, Any]) -> None:
    shown = sum(count for _, count in reasons.counts.most_common(_MOST_REASONS))
    if more := reasons.counts.total() + reasons.others - shown:
        _say(f"and {more:,} for other reasons")


def _kept(rejects: Path | None) -> str:
    return f"all of them are in {rejects}" if rejects else "keep them with --rejects FILE"


def _tell(what: str, text: str) -> None:
    err.print(f"[yellow]{what}[/yellow] {escape(text)}", soft_wrap=True)


def _say(text: str) -> None:
    err.print(text, markup=False, soft_wrap=True)
