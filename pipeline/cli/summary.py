"""A summary as JSON for programs, or as tables for people."""

from __future__ import annotations

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
        table = Table("promise", *_right("kept", "broken, then met", "broken", "open", "cancelled"), box=None)
        for name, each in summary.promises.items():
            row = (each.kept, each.broken_then_met, each.broken, each.open, each.cancelled)
            table.add_row(name, *(f"{count:,}" for count in row))
        out.print(table)
    if summary.stalls:
        table = Table("stuck in", *_right("opened", "resolved", "open"), box=None)
        for name, stall in summary.stalls.items():
            table.add_row(name, *(f"{count:,}" for count in (stall.opened, stall.resolved, stall.open)))
        out.print(table)


def _right(*names: str) -> list[Column]:
    return [Column(name, justify="right") for name in names]
