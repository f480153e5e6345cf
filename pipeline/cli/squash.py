"""`throughline identity squash`: put the overrides of persons into the touchpoints, and out of the way of queries."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from pipeline.cli.console import out
from pipeline.cli.which import Name, require_in_kafka, require_in_warehouse, settings_of
from pipeline.engine.topics import require_topics
from pipeline.operations.squashing import preview_squash, squash_overrides
from pipeline.warehouse.squash import Squashed


def squash(
    name: Name = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    limit: Annotated[
        float, typer.Option(help="Wait so many seconds for the warehouse stage at most.", min=0)
    ] = 600.0,
) -> None:
    """Rewrite the touchpoints that have moved to another person, so that queries need not look that up any more."""
    settings = settings_of(name)
    require_in_warehouse(settings)
    if dry_run:
        _tell(preview_squash(settings), "would be taken", "to rewrite")
        return
    require_in_kafka(settings)
    require_topics(settings.kafka_admin, settings.topology.specs())
    began = time.monotonic()
    _tell(squash_overrides(settings, limit), "taken", "rewritten")
    out.print(f"took {time.monotonic() - began:.1f} s")


def _tell(done: Squashed, taken: str, rewritten: str) -> None:
    months = ", ".join(f"{month // 100}-{month % 100:02}" for month in sorted(done.months))
    out.print(f"overrides {taken}: {done.overrides:,}", soft_wrap=True)
    out.print(f"touchpoints {rewritten}: {done.touchpoints:,}", soft_wrap=True)
    out.print(f"months: {months or 'none'}", soft_wrap=True)


def register(group: typer.Typer) -> None:
    """Add the command to the group `identity`."""
    group.command("squash")(squash)
