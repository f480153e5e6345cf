"""What `throughline identity show` and `explain` print."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.markup import escape

from pipeline.cli.console import out
from pipeline.operations.identity_view import Claimed, Explanation, PersonView, Whose, shown
from pipeline.operations.link_tree import Branch, blocked
from pipeline.warehouse.identity import LinkRow

_MOST = 20
"""Lines of one kind; the rest is counted."""
RULES = {
    "unique": "the two persons have different values of a unique kind",
    "full": "one person would have too many identifiers of a kind (most_per_person)",
    "unlinked": "somebody has unlinked an identifier of the one from an identifier of the other",
    "shared": "one of the two is shared by strangers (most_links)",
}


def show_claims(whose: Whose) -> None:
    """How a reference leads to whoever owns it."""
    for claim in whose.claims:
        _line(f"{claim.reference} belongs to {claim.owner}: {_by(claim)} names both, the first to do so")
    if whose.row is None and not whose.claims:
        _line(f"{whose.identifier} was never linked to another identifier")


def show_person(view: PersonView, asked: str) -> None:
    """A person with the tree of its links. `asked` is the token that led here."""
    named = "" if view.named_by is None else f", named by {shown(view.named_by, view.values)}"
    out.print(f"[bold]person {view.person}[/bold]{escape(named)}", soft_wrap=True)
    if view.tree is not None:
        for lead, branch in _drawn(view.tree.root):
            out.print(f"{lead}{_label(branch, view, asked)}", soft_wrap=True)
        if view.tree.spare:
            _line(f"{_count(view.tree.spare, 'more link')} of identifiers that were one person already")
    if any(row.shared for row in view.members.values()):
        _line("  it is shared by strangers (most_links): it joins nobody")
    if view.references:
        _listed("touchpoints came by", [shown(token, view.values) for token in view.references])
    _links("refused", view.refused, view)
    _links("unlinked", view.unlinked, view)
    if view.came or view.went:
        _line(
            f"overrides pending: {view.came} that move touchpoints here, {view.went} that move them away; "
            "they hold already wherever persons are asked for"
        )


def show_explanation(found: Explanation) -> None:
    """Why two identifiers are one person, or are not."""
    for whose in (found.one, found.other):
        for claim in whose.claims:
            _line(f"{claim.reference} belongs to {claim.owner}: {_by(claim)} names both, the first to do so")
    one, other = (shown(whose.token, found.values) for whose in (found.one, found.other))
    if found.are_one:
        out.print(
            f"{escape(f'{one} and {other}')} are [bold green]one person[/bold green], {found.one.person}"
        )
    else:
        out.print(f"{escape(f'{one} and {other}')} are [bold red]not one person[/bold red]")
        _line(f"  {one} is {found.one.person}")
        _line(f"  {other} is {found.other.person}")
    if found.one.token == found.other.token:
        return _line("they are the same identifier, or belong to it")
    if found.way is None:
        return _line("nothing that was said links them, not even by way of others")
    for link in found.way:
        _line(f"  {_said(link, found.values)}")
    stopped = blocked(found.way)
    if stopped and not found.are_one:
        _line(
            f"{_count(len(stopped), 'link')} on the shortest way {'joins' if len(stopped) == 1 else 'join'} nobody"
        )
    return None


def _drawn(root: Branch) -> Iterator[tuple[str, Branch]]:
    """Every branch behind its guide; rich's own tree breaks long lines."""
    waiting = [("", "", root)]
    while waiting:
        lead, indent, at = waiting.pop()
        yield lead, at
        last = len(at.below) - 1
        below = [
            (
                f"{indent}{'└── ' if place == last else '├── '}",
                f"{indent}{'    ' if place == last else '│   '}",
                each,
            )
            for place, each in enumerate(at.below)
        ]
        waiting += reversed(below)


def _label(branch: Branch, view: PersonView, asked: str) -> str:
    name = escape(shown(branch.token, view.values))
    name = f"[bold]{name}[/bold]" if branch.token == asked else name
    return name if branch.link is None else f"{name}  [dim]{escape(_why(branch.link))}[/dim]"


def _why(link: LinkRow) -> str:
    """When and by which touchpoint two identifiers were linked."""
    said = ""
    if link.said_at is not None:
        said = f"; last spoken of {_moment(link.said_at)} by {link.said_source}#{link.said_id}"
    if link.linked_at is None:
        return said.removeprefix("; ")
    return f"linked {_moment(link.linked_at)} by {link.linked_source}#{link.linked_id}{said}"


def _said(link: LinkRow, values: dict[str, str]) -> str:
    ends = f"{shown(link.one, values)} and {shown(link.other, values)}"
    rule = (
        f" ({link.rule}: {RULES.get(link.rule, 'a rule of this version is not known')})" if link.rule else ""
    )
    return f"{ends}: {link.status}{rule}, {_why(link)}"


def _links(title: str, links: list[LinkRow], view: PersonView) -> None:
    _listed(title, [_said(link, view.values) for link in links])


def _listed(title: str, lines: list[str]) -> None:
    if lines:
        _line(f"{title} ({len(lines)})")
        for line in lines[:_MOST]:
            _line(f"  {line}")
        if len(lines) > _MOST:
            _line(f"  … and {len(lines) - _MOST} more")


def _by(claim: Claimed) -> str:
    return f"touchpoint {claim.by.source}#{claim.by.id} of {_moment(claim.by.time)}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _line(text: str) -> None:
    out.print(escape(text), soft_wrap=True)
