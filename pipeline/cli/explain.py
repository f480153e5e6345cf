"""`throughline explain FINDING`: the rule, the touchpoints, what the clock did, and the arithmetic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import out
from pipeline.cli.explain_text import lines_of, lines_of_figure
from pipeline.cli.which import Name, map_of, require_in_warehouse, settings_of
from pipeline.core.instants import micros
from pipeline.core.messages import Entry
from pipeline.core.plan import JourneyRules, Plan, compile_plan
from pipeline.core.rules import PromiseRule, StageRule
from pipeline.errors import ThroughlineError
from pipeline.maps import load_map
from pipeline.operations.explanation import Explanation, explain
from pipeline.operations.past_entries import entries_of
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.explained import SHORTEST, Published, journey_touchpoints, published_findings


class UnknownFindingError(ThroughlineError):
    """No finding, or more than one, has this name."""


class NotExplainedError(ThroughlineError):
    """The map and the touchpoints that are there do not lead to the finding."""


def explain_finding(
    finding: Annotated[
        str, typer.Argument(help="The finding's id, or its first digits, as `journey` shows them.")
    ],
    journey_map: Annotated[
        Path | None,
        typer.Option(
            "--map", help="The journey map; the pipeline's own copy, else THROUGHLINE_JOURNEY_MAP, if absent."
        ),
    ] = None,
    name: Name = "",
) -> None:
    """Say why a finding says what it says: rule, touchpoints, clock, arithmetic."""
    settings = settings_of(name)
    require_in_warehouse(settings)
    with closing(Warehouse.of(settings)) as warehouse:
        published = _the_one(published_findings(warehouse, _checked(finding)), finding, settings)
        said = published.said
        touchpoints = list(journey_touchpoints(warehouse, said.journey_id, said.person_id))
    plan, map_name = _plan(journey_map or map_of(settings))
    entries = list(entries_of(plan, touchpoints))
    if said.type == "value_promise":
        lines = lines_of_figure(published, entries)
    else:
        lines = lines_of(published, _explained(settings, plan, map_name, published, entries))
    for line in lines:
        out.print(line, soft_wrap=True)


def _checked(finding: str) -> str:
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST},32}}", finding):
        raise UnknownFindingError(
            f"{finding!r} is no finding's id: that has 32 hex digits, of which the first {SHORTEST} will do; "
            "`throughline journey CUSTOMER` shows those of a customer"
        )
    return finding


def _the_one(found: list[Published], finding: str, settings: Settings) -> Published:
    if not found:
        raise UnknownFindingError(
            f"no finding in {settings.database} has the id {finding!r}; "
            "`throughline journey CUSTOMER` shows those of a customer"
        )
    if len(found) > 1:
        names = ", ".join(each.finding_id for each in found[:5])
        raise UnknownFindingError(
            f"{len(found)} findings have ids that begin with {finding!r}: {names}; give more of it"
        )
    return found[0]


def _plan(path: Path | None) -> tuple[Plan, str]:
    if path is None:
        raise NotExplainedError(
            "the pipeline keeps no journey map here; give the one that it runs with as --map MAP"
        )
    return compile_plan(load_map(path)), path.name


def _explained(
    settings: Settings, plan: Plan, map_name: str, published: Published, entries: Sequence[Entry]
) -> Explanation:
    said = published.said
    rules, rule = _rule(plan, published, map_name)
    opening = next((entry for entry in entries if _name(entry) == said.evidence[0]), None)
    decided = said.detail.decided_by_others
    found = opening and explain(rules, rule, entries, opening, micros(said.detected_at), decided)
    if not found:
        raise NotExplainedError(
            f"under {map_name}, the touchpoints of {said.journey_type} {said.journey_key} that are in "
            f"{settings.database} do not open this finding; it was published under another map, or its "
            f"touchpoints ({', '.join(said.evidence)}) are another person's now"
        )
    return found


def _rule(plan: Plan, published: Published, map_name: str) -> tuple[JourneyRules, PromiseRule | StageRule]:
    said = published.said
    for rules in plan.journeys:
        if rules.name == said.journey_type:
            known: tuple[PromiseRule | StageRule, ...] = (
                rules.promises if said.type == "promise" else rules.stages
            )
            for rule in known:
                if rule.name == said.rule:
                    return rules, rule
    raise NotExplainedError(
        f"{map_name} has no {'promise' if said.type == 'promise' else 'stage'} {said.rule!r} in journeys of type "
        f"{said.journey_type!r}; the finding was published under another map, give that one as --map"
    )


def _name(entry: Entry) -> str:
    return f"{entry.source}#{entry.id}"


def register(app: typer.Typer) -> None:
    app.command("explain")(explain_finding)
