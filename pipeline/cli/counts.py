"""What was injected and what was found of it, as a table on standard output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.table import Column, Table

from pipeline.cli.console import out


class Counted(NamedTuple):
    """A line: what is counted, and its numbers. `is_wrong` ones are red."""

    category: str
    label: str
    numbers: Sequence[int]
    is_wrong: bool = False


def show_counts(title: str, names: Sequence[str], lines: Iterable[Counted]) -> None:
    """Lines of one category have to follow each other: it is named in the first of them."""
    numbers = [Column(name, justify="right") for name in names]
    table = Table("", "", *numbers, box=None, title=title, title_justify="left")
    category = ""
    for line in lines:
        first = line.category if line.category != category else ""
        counts = (f"{number:,}" for number in line.numbers)
        table.add_row(first, line.label, *counts, style="red" if line.is_wrong else "")
        category = line.category
    out.print(table)
