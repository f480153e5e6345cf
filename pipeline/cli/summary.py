"""A summary as JSON for programs, or as tables for people."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Column, Table

from pipeline.cli.console import out
from pipeline.core.summary import Summary

_FIGURES = (
    ("touchpoints", "persons", "unmapped"),
    ("dead_letters", "rejected_rows", "duplicates", "after_as_of"),
)
"""What came in, and what of it went other ways; a line each."""


def show_summary(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        out.print(summary.to_json().decode(), markup=False, soft_wrap=True)
        return
    out.print(f"as of {summary.as_of.isoformat()}")
    for line in _FIGURES:
        counted = [(name.replace("_", " "), getattr(summary, name)) for name in line]
        out.print("   ".join(f"{name} {count:,}" for name, count in counted if count is not None))
    if summary.promises:
        _show("promise", _PROMISES, summary.promises)
    if summary.value_promises:
        _show("promised figure", _VALUES, summary.value_promises)
    if summary.stalls:
        _show("stuck in", _STALLS, summary.stalls)


def _show(what: str, columns: Mapping[str, str], counts: Mapping[str, object]) -> None:
    """A table of counts by rule; `columns` are their names with the fields that they show."""
    table = Table(what, *(Column(name, justify="right") for name in columns), box=None)
    for rule, each in counts.items():
        table.add_row(rule, *(f"{getattr(each, field):,}" for field in columns.values()))
    out.print(table)


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_PROMISES = {"kept": "kept", "broken, then met": "broken_then_met", **_same("broken", "open", "cancelled")}
_VALUES = _same("made", "kept", "exceeded", "broken", "lapsed", "open", "cancelled")
_STALLS = _same("opened", "resolved", "open", "declared", "learned")
