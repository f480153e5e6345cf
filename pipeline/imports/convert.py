"""Cells become values: text, numbers, truth values and instants, out of whatever the file's format gave.

In: a cell that is not empty (text from CSV; also numbers, truth values, dates, lists and objects from JSON
lines and Parquet). Out: the value, or a `RowError` that says what the cell holds and what was expected.
Instants come out as aware datetimes in UTC.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation, Overflow
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.core.instants import EPOCH

Converter = Callable[[Any], Any]

_TRUTH = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
_MICROS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
_LAST = timedelta(days=1) - timedelta(microseconds=1)
_EXACT = 2.0**53
_MOST_DIGITS = 18  # of microseconds; an exponent may stand for a number that would fill the memory


class RowError(ValueError):
    """A row can't be mapped; the message is the reason, for the report and the rejects file."""


def text(cell: Any) -> str:
    """A cell as text: whole numbers without a decimal point, so that an id read as 5.0 is `5`."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return str(int(cell))
    if isinstance(cell, int | float | Decimal):
        return str(cell)
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    raise RowError(f"{_shown(cell)} can't be used as text")


def whole(cell: Any) -> int:
    try:
        found = int(cell)
        # of what is a number already, a float or a decimal, nothing is cut off
        if isinstance(cell, bool) or (not isinstance(cell, str) and found != cell):
            raise ValueError
        return found
    except (TypeError, ValueError, OverflowError):
        raise RowError(f"{_shown(cell)} is not a whole number") from None


def number(decimal: str) -> Converter:
    """A reader of numbers whose decimal sign is `decimal`; with a comma, points are taken as grouping."""

    def convert(cell: Any) -> float:
        try:
            if decimal == "," and isinstance(cell, str):
                cell = cell.replace(".", "").replace(",", ".")
            found = float(cell)
        except (TypeError, ValueError, OverflowError):
            raise RowError(f"{_shown(cell)} is not a number") from None
        if not math.isfinite(found):
            raise RowError(f"{_shown(cell)} is not a finite number")
        return found

    return convert


def truth(cell: Any) -> bool:
    found = cell if isinstance(cell, bool) else _TRUTH.get(text(cell).strip().lower())
    if found is None:
        raise RowError(f"{_shown(cell)} is none of true/false, yes/no, t/f, y/n, 1/0")
    return found


def instant(form: str | None, zone_name: str, *, end_of_day: bool = False) -> Converter:
    """A reader of instants: `form` is a mapping's format (iso by default); naive times are in the zone."""
    zone: tzinfo = UTC if zone_name == "UTC" else ZoneInfo(zone_name)
    read = _reader(form or "iso")

    def convert(cell: Any) -> datetime:
        try:
            moment = read(cell)
            if moment.tzinfo is UTC:
                return moment
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            return moment if zone is UTC and moment.tzinfo is UTC else moment.astimezone(UTC)
        except OverflowError:
            raise RowError(
                f"{_shown(cell)} is outside the years 1 to 9999; is it of another unit or format?"
            ) from None

    def convert_to_end(cell: Any) -> datetime:
        day = convert(cell).astimezone(zone).date()
        return (datetime.combine(day, time(), zone) + _LAST).astimezone(UTC)

    return convert_to_end if end_of_day else convert


def _reader(form: str) -> Callable[[Any], datetime]:
    if form == "iso":
        return _iso
    if form in _MICROS:
        return _epoch(form)
    return _patterned(form)


def _iso(cell: Any) -> datetime:
    try:
        return datetime.fromisoformat(cell)
    except TypeError:
        return _dated(cell)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(cell.strip())
    except ValueError:
        raise RowError(
            f"{_shown(cell)} is not an ISO 8601 time; if it is another format, say `format`"
        ) from None


def _dated(cell: Any) -> datetime:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    hint = (
        "; for a count since 1970 say `format: epoch_s` or epoch_ms" if isinstance(cell, int | float) else ""
    )
    raise RowError(f"{_shown(cell)} is not an ISO 8601 time{hint}")


def _epoch(form: str) -> Callable[[Any], datetime]:
    factor = _MICROS[form]

    def convert(cell: Any) -> datetime:
        try:
            # Decimal: a float has not the digits for microseconds since 1970
            count = Decimal(text(cell).strip()) * factor
            if count.adjusted() > _MOST_DIGITS:
                raise OverflowError
            return EPOCH + timedelta(microseconds=int(count))
        except Overflow:
            raise OverflowError from None
        except (InvalidOperation, ValueError):
            raise RowError(f"{_shown(cell)} is not a count since 1970 ({form})") from None

    return convert


def _patterned(form: str) -> Callable[[Any], datetime]:
    def convert(cell: Any) -> datetime:
        try:
            return datetime.strptime(text(cell), form)  # noqa: DTZ007 - the zone is added by the caller
        except ValueError:
            raise RowError(f"{_shown(cell)} is not a time of the format {form}") from None

    return convert


def _shown(cell: Any) -> str:
    shown = repr(cell)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
