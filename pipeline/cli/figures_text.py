"""Promised figures in words, as every command says them."""

from __future__ import annotations

from typing import Protocol


class Promised(Protocol):
    """What was promised: in a range both limits, otherwise both are the one figure; None while it is not known."""

    @property
    def kind(self) -> str: ...
    @property
    def promised_from(self) -> float | None: ...
    @property
    def promised_to(self) -> float | None: ...
    @property
    def unit(self) -> str | None: ...


def promised_in_words(said: Promised) -> str:
    """`at most 6 l/100km`, `from 2 to 8`."""
    if said.promised_to is None:
        return f"{said.kind.replace('_', ' ')} what was usual, which is not known yet"
    if said.kind == "range":
        return f"from {said.promised_from:g} to {in_unit(said.promised_to, said.unit)}"
    return f"{said.kind.replace('_', ' ')} {in_unit(said.promised_to, said.unit)}"


def in_unit(figure: float, unit: str | None) -> str:
    """A figure with its unit, if it has one."""
    return f"{figure:g} {unit}" if unit else f"{figure:g}"
