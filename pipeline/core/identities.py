"""Whose a touchpoint may be: its `identities` in, tokens by what they are good for out; or a refusal.

What can be no identifier of its kind stays among the touchpoint's identities as it came, as one of a kind does that the map
does not name; no rule sees it. What says that there is none (blank, blocked) is left out.

By a *word*, a touchpoint of one of two types, somebody says of two identifiers whether they are one person. It means the
identifiers of the time at which it was said, or of `data.at`: one with a life time is another in each period.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from mypy_extensions import mypyc_attr

from pipeline.core.dead_letters import RefusedError
from pipeline.core.instants import parse_instant
from pipeline.core.kinds import IdentifierKind, ranks
from pipeline.core.messages import Micros, Token
from pipeline.core.tokens import BLANK, BLOCKED, Tokens, kind_of
from schemas.dead_letter import ErrorCode

WORDS: Final = {"service.identity.linked": True, "service.identity.unlinked": False}
"""Types by which somebody says of two identifiers whether they are one person."""

IMPORTED: Final = "service.identity.imported"
"""Links as any touchpoint of two identifiers does, and no more: who has unlinked them by name stays right."""


_Wrong = Mapping[str, tuple[str, str]]
"""By kind, what is no identifier: the value, and why."""


@mypyc_attr(acyclic=True)
class Found:
    """`to` is the strongest identifier; `references` and `personal` are the weaker ones.

    `known` are the values that rules may see, `shown` all that are kept, by kind.
    """

    __slots__ = ("known", "personal", "references", "shown", "to")

    def __init__(self) -> None:
        self.to: Token = ""
        self.references: list[Token] = []
        self.personal: list[Token] = []
        self.known: dict[str, str] = {}
        self.shown: dict[str, str] = self.known


class Finder:
    """Finds the identifiers of touchpoints by the kinds of a journey map.

    Into `counts` go `blocked_identifiers` and `invalid_identifiers`, those of refused touchpoints too.
    """

    def __init__(self, kinds: Mapping[str, IdentifierKind], tokens: Tokens, counts: Counter[str]) -> None:
        self._ranks = ranks(kinds)
        self._references = frozenset(name for name, kind in kinds.items() if kind.kind == "reference")
        self._tokens = tokens
        self._counts = counts

    def find(self, given: Mapping[str, str | None], at: Micros) -> Found:
        """The identifiers that these are at an instant. Raises RefusedError if the map names none of them."""
        found, strongest = Found(), -1
        wrong: dict[str, tuple[str, str]] | None = None
        for kind, text in given.items():
            if text is None:
                continue
            token, value, why = self._tokens.identify(kind, text, at)
            if why:
                wrong = {} if wrong is None else wrong
                wrong[kind] = value, why
                continue
            found.known[kind] = value
            rank = self._ranks.get(kind, -1)
            if rank > strongest:
                strongest, found.to = rank, token
            if kind in self._references:
                found.references.append(token)
            elif rank >= 0:
                found.personal.append(token)
        if wrong is not None:
            self._keep(wrong, found)
        if not found.to:
            raise _no_identity(given, wrong or {}, self._ranks)
        (found.references if found.to in found.references else found.personal).remove(found.to)
        return found

    def _keep(self, wrong: _Wrong, found: Found) -> None:
        """Count what is no identifier, and show what somebody could mend."""
        invalid: dict[str, str] = {}
        for kind, (value, why) in wrong.items():
            if why == BLOCKED:
                self._counts["blocked_identifiers"] += 1
            elif why != BLANK:
                self._counts["invalid_identifiers"] += 1
                invalid[kind] = value
        if invalid:
            found.shown = {**found.known, **invalid}

    def add_other(self, found: Found, data: Any, at: Micros) -> None:
        """Add the identifier that is named in `data.other`, and see that there are two to speak of."""
        other = data.get("other") if type(data) is dict else None
        if other is not None:
            kind = other["kind"]
            if self._ranks.get(kind, -1) < 0 or kind in self._references:
                raise _no_other(f"data.other is no personal identifier of the map ({kind})")
            token, _, why = self._tokens.identify(kind, other["value"], at)
            if why:
                raise _no_other(f"data.other is {why}")
            if token != found.to and token not in found.personal:
                found.personal.append(token)
        if not found.personal or kind_of(found.to) in self._references:
            raise _no_other("it names fewer than two personal identifiers")


def meant_at(data: Any, time: Micros) -> Micros:
    """The instant of whose identifiers a word speaks. Raises RefusedError."""
    at = data.get("at") if type(data) is dict else None
    if at is None:
        return time
    try:
        return parse_instant(at)
    except ValueError:
        message = f"data.at is {at}; it has to lie in the years 1 to 9999"
        raise RefusedError(ErrorCode.INVALID_VALUE, "data.at", message) from None


def _no_other(what: str) -> RefusedError:
    message = f"{what}; name two: both under identities, or the second as data.other with its kind and value"
    return RefusedError(ErrorCode.INVALID_VALUE, "data.other", message)


def _no_identity(given: Mapping[str, str | None], wrong: _Wrong, known: Mapping[str, int]) -> RefusedError:
    """Says of each kind why it is none. If a value could be mended, its place is named."""
    said: list[str] = []
    place = ""
    for kind in given:
        why = wrong[kind][1] if kind in wrong else BLANK
        if kind not in known:
            why = "no identifier of the map"
        elif why not in (BLANK, BLOCKED):
            place = place or f"identities.{kind}"
        said.append(f"{kind} is {why}")
    strongest_first = ", ".join(reversed(list(known)))
    message = f"{', '.join(said) or 'identities is empty'}; give one of {strongest_first}"
    code = ErrorCode.INVALID_VALUE if place else ErrorCode.NO_IDENTITY
    return RefusedError(code, place or "identities", message)
