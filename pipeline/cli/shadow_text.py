"""A shadow report as tables and examples for people, on standard output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from rich.table import Column, Table
from rich.text import Text

from pipeline.cli.console import out
from pipeline.cli.durations_text import gap_in_words, in_words
from pipeline.core.instants import SECOND
from pipeline.shadow.report import Change, Example, PersonChange, Persons, RuleCounts, ShadowReport, Side

_ABSENT = "-"
_DURATIONS = {"_seconds": SECOND, "_hours": 3600 * SECOND}
"""Ends of the names of facts that are durations: one of it, in the unit of durations."""
_NAMED = {"live": " (removed)", "new": " (new)", "both": ""}


def show_report(report: ShadowReport) -> None:
    _show_input(report)
    _show_rules(report.rules)
    for change in report.changes:
        _show_change(change)
    _show_persons(report.persons)
    _plain(_verdict(report))
    for note in report.notes:
        _plain(f"note: {note}")


def _show_input(report: ShadowReport) -> None:
    since = f" from {_short(report.since.isoformat())} on" if report.since else ""
    earlier = f", {report.earlier:,} earlier ones of the same journeys" if report.earlier else ""
    _plain(
        f"{report.touchpoints:,} touchpoints of {report.source}{since}{earlier}; "
        f"as of {_short(report.as_of.isoformat())}"
    )
    _show_side("live", report.live)
    _show_side("new", report.new)
    if report.unreadable:
        _plain(f"{report.unreadable:,} records are left out: every map refuses them")
    if report.left_out:
        _plain(f"{report.left_out:,} conclusions are left out: of journeys that have no touchpoint since")


def _show_side(which: str, side: Side) -> None:
    refused = "".join(f", {count:,} refused for {code}" for code, count in side.refused.items())
    _plain(
        f"  {which:<5}{side.map}: {side.touchpoints:,} touchpoints, {side.unmapped:,} unmapped, "
        f"{side.persons:,} persons{refused}"
    )


def _show_rules(rules: list[RuleCounts]) -> None:
    numbers = [Column(name, justify="right") for name in ("live", "new", "difference")]
    table = Table("", "rule", "", *numbers, box=None)
    previous = ""
    for rule in sorted(rules, key=lambda each: each.type):
        kind = rule.type if rule.type != previous else ""
        previous = rule.type
        for row in _rows_of(kind, rule):
            table.add_row(*row, style="" if row[-1] == "" else "bold")
    out.print(table)


def _rows_of(kind: str, rule: RuleCounts) -> Iterator[tuple[str, ...]]:
    """All of a rule, and below by status."""
    both = [sum(getattr(each, side) for each in rule.statuses) for side in ("live", "new")]
    yield kind, rule.rule + _NAMED[rule.only_in], "all", *_numbers(*both)
    for each in rule.statuses:
        yield "", "", each.status, *_numbers(each.live, each.new)


def _numbers(live: int, new: int) -> tuple[str, str, str]:
    return f"{live:,}", f"{new:,}", f"{new - live:+,}" if new != live else ""


def _show_change(change: Change) -> None:
    what = f"{change.live or _ABSENT} → {change.new or _ABSENT}"
    if change.live == change.new:
        what = f"{change.new} as before, with another {', '.join(map(_named, change.facts))}"
    many = "customer" if change.customers == 1 else "customers"
    _plain("")
    _plain(f"{change.type} {change.rule}: {what}: {change.count:,}, of {change.customers:,} {many}", "bold")
    for example in change.examples:
        _show_example(example)


def _show_example(example: Example) -> None:
    _plain(
        f"  {_short(example.opened_at)}  {example.journey_type} {example.journey_key}  person {example.person_id}"
    )
    for name in dict.fromkeys([*example.live, *example.new]):
        live, new = _value(example.live, name), _value(example.new, name)
        if name != "status" and example.live and example.new:
            _plain(f"{'':23}{_named(name)}: {live} → {new}")


def _show_persons(persons: Persons) -> None:
    if not (persons.joined or persons.split or persons.renamed):
        return
    _plain("")
    _plain(
        f"persons: {persons.joined:,} who were several, {persons.split:,} who become several, "
        f"{persons.renamed:,} under another id",
        "bold",
    )
    for change in (*persons.joined_examples, *persons.split_examples):
        _plain(f"  {_ids(change, 'live')} → {_ids(change, 'new')}")


def _ids(change: PersonChange, side: str) -> str:
    ids: list[str] = getattr(change, side)
    return " + ".join(ids[:4]) + (f" + {len(ids) - 4} more" if len(ids) > 4 else "")


def _verdict(report: ShadowReport) -> str:
    customers = report.customers
    if not customers:
        return "\nNothing differs: no customer would change."
    verdicts = sum(each.verdicts > 0 for each in customers)
    facts = sum(not each.verdicts and each.facts > 0 for each in customers)
    return (
        f"\n{len(customers):,} of {report.new.persons:,} customers would change: {verdicts:,} in a verdict, "
        f"{facts:,} in facts alone, {len(customers) - verdicts - facts:,} only in who they are."
    )


def _value(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    if value is None:
        return _ABSENT
    if isinstance(value, str):
        return _short(value)
    unit = _unit(name)
    if unit:
        duration = round(value * _DURATIONS[unit])
        return gap_in_words(duration) if name == "gap_hours" else in_words(duration)
    return f"{value:.12g}" if isinstance(value, float) else msgspec.json.encode(value).decode()


def _named(fact: str) -> str:
    """A duration is said with its units, and its name without."""
    return fact.removesuffix(_unit(fact))


def _unit(fact: str) -> str:
    return next((end for end in _DURATIONS if fact.endswith(end)), "")


def _short(text: str) -> str:
    """An instant to the second in UTC; any other text as it is."""
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text


def _plain(text: str, style: str = "") -> None:
    out.print(Text(text, style=style), soft_wrap=True)
