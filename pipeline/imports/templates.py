"""Text with `{column}` in it: how types, ids and other texts are put together from the columns of a row.

In: the text of a template. Out: its literal parts and columns with their filters. `{column|slug}` makes a
column's value fit for a type: lower case, letters without accents, `_` between words. `{{` and `}}` are the
braces themselves.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

_PART = re.compile(r"\{\{|\}\}|\{([^{}|]+)(?:\|([^{}|]*))?\}|[{}]")
_NOT_WORD = re.compile(r"[^a-z0-9]+")


def slug(text: str) -> str:
    """`W_Valideren aanvraag` → `w_valideren_aanvraag`; what begins with a digit gets `n_` in front of it."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    joined = _NOT_WORD.sub("_", plain).strip("_")
    return f"n_{joined}" if joined[:1].isdigit() else joined


FILTERS: dict[str, Callable[[str], str]] = {"slug": slug, "lower": str.lower, "upper": str.upper}


@dataclass(frozen=True)
class Slot:
    column: str
    filter: Callable[[str], str] | None


@dataclass(frozen=True)
class Template:
    parts: tuple[str | Slot, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(part.column for part in self.parts if isinstance(part, Slot))

    @property
    def text(self) -> str:
        """The literal text, for a template without columns."""
        return "".join(part for part in self.parts if isinstance(part, str))


def parse_template(text: str) -> Template:
    """Raises ValueError for an unbalanced brace or an unknown filter."""
    if not text:
        raise ValueError("this is empty; write text, or a column in braces such as {order_id}")
    parts: list[str | Slot] = []
    end = 0
    for match in _PART.finditer(text):
        parts.append(text[end : match.start()])
        parts.append(_part(match))
        end = match.end()
    parts.append(text[end:])
    return Template(tuple(part for part in parts if part != ""))


def _part(match: re.Match[str]) -> str | Slot:
    whole, column, name = match.group(0), match.group(1), match.group(2)
    if whole in {"{{", "}}"}:
        return whole[0]
    if column is None:
        raise ValueError(
            f"a brace is left open in {match.string!r}; write {{column}}, or {{{{ for a brace itself"
        )
    if name is not None and name not in FILTERS:
        raise ValueError(f"there is no filter {name!r}; the filters are {', '.join(FILTERS)}")
    return Slot(column, FILTERS[name] if name else None)
