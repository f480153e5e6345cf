"""Which pipeline a command is about: the live one, or the replay that `--name` names; its map; and which time."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import ThroughlineError
from pipeline.settings import NAME_PATTERN, Settings, read_settings

_ANSWER_SECONDS = 5.0


class NoPipelineError(ThroughlineError):
    """The pipeline that was asked about does not exist; the message names those that do."""


def check_name(name: str) -> str:
    """The name, if it can be one of a pipeline."""
    if name and not re.fullmatch(NAME_PATTERN, name):
        raise typer.BadParameter(
            f"{name!r} can't name a pipeline; take at most 41 lower-case letters, digits and -, first a letter"
        )
    return name


Name = Annotated[
    str, typer.Option("--name", help="Of a replay; the live pipeline if absent.", callback=check_name)
]


def parse_instant(text: str) -> datetime:
    """An RFC 3339 instant; without an offset it is UTC."""
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"write an instant such as 2018-10-22T03:33:14Z, not {text!r}") from None


At = Annotated[
    datetime | None,
    typer.Option(
        help="When the identifiers are what is meant, of kinds with a life time; now if absent.",
        parser=parse_instant,
        metavar="INSTANT",
    ),
]


def settings_of(name: str) -> Settings:
    """The settings of the pipeline that is meant; THROUGHLINE_NAMESPACE counts where no name is given."""
    return read_settings(namespace=name) if name else read_settings()


def own_map(settings: Settings) -> Path:
    """Where a pipeline that this machine has started keeps a copy of the journey map that it runs."""
    home = settings.home.resolve()
    return home / "replays" / settings.namespace / "map.yaml" if settings.namespace else home / "map.yaml"


def keep_map(journey_map: Path, settings: Settings) -> None:
    """Copy the map for this pipeline alone: editing the original does not change what it runs."""
    own = own_map(settings)
    own.parent.mkdir(parents=True, exist_ok=True)
    with suppress(shutil.SameFileError):
        shutil.copy(journey_map, own)


def map_of(settings: Settings) -> Path | None:
    """The journey map of the pipeline that is meant, as far as it is known here: its own copy, else that of the settings."""
    own = own_map(settings)
    return own if own.exists() else settings.journey_map


def require_in_warehouse(settings: Settings) -> None:
    """Make sure that the pipeline has a database. Raises NoPipelineError, WarehouseError."""
    # who asks Kafka alone needs no client of ClickHouse
    from pipeline.warehouse.client import Warehouse  # noqa: PLC0415

    live = settings.model_copy(update={"namespace": ""}).database
    databases = Warehouse.of(settings).databases(live)
    if settings.database not in databases:
        # no name has a `_`: each of a database's was a `-`
        prefix = f"{live}_"
        names = {name.removeprefix(prefix).replace("_", "-") for name in databases if name.startswith(prefix)}
        raise _no_pipeline(settings, f"ClickHouse at {settings.clickhouse}", names)


def require_in_kafka(settings: Settings) -> None:
    """Make sure that the pipeline has topics. Raises NoPipelineError, KafkaProblemError."""
    # who asks ClickHouse alone needs no client of Kafka
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    from pipeline.operations.clients import explained, quiet  # noqa: PLC0415

    options, topology = settings.kafka_client, settings.topology
    with explained(options, "asking which pipelines there are"):
        topics = set(AdminClient(quiet(options)).list_topics(timeout=_ANSWER_SECONDS).topics)
    if topics.isdisjoint(spec.name for spec in topology.specs()):
        suffix = f".{settings.model_copy(update={'namespace': ''}).topology.dead_letter}"
        names = {topic.removesuffix(suffix) for topic in topics if topic.endswith(suffix)}
        raise _no_pipeline(settings, f"Kafka at {settings.kafka}", names)


def _no_pipeline(settings: Settings, place: str, names: Collection[str]) -> NoPipelineError:
    known = ", ".join(sorted(names))
    if settings.namespace:
        there_are = f"there are: {known}" if known else f"{place} has none"
        return NoPipelineError(f"there is no replay named {settings.namespace!r}; {there_are}")
    others = f", or name a replay with --name; there are: {known}" if known else ""
    return NoPipelineError(f"{place} has no live pipeline yet; start it with `throughline up`{others}")
