"""`throughline validate MAP`: is this journey map right, and if not, where and what would be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import out
from pipeline.maps import load_map


def validate(
    journey_map: Annotated[Path, typer.Argument(metavar="MAP", help="The YAML journey map.")],
) -> None:
    """Check a journey map; every problem is named with its line, its field and the remedy."""
    loaded = load_map(journey_map)
    stages = sum(len(journey.stages) for journey in loaded.journeys.values())
    promises = sum(len(journey.promises) for journey in loaded.journeys.values())
    out.print(
        f"{journey_map}: valid. {len(loaded.touchpoints)} touchpoint types, {len(loaded.journeys)} journeys, "
        f"{promises} promises, {stages} stages.",
        markup=False,
        soft_wrap=True,
    )


def register(app: typer.Typer) -> None:
    app.command()(validate)
