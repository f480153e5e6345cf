"""The examples through Kafka into ClickHouse: the figures of their data's description, in any order of arrival."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command_line import CommandLine
from example_data import Example
from example_figures import LOANS, OLIST, figures
from pipelines import NewSettings, running

from pipeline.core.instants import moment
from pipeline.core.summary import Summary
from pipeline.imports.importer import ImportedEvent
from pipeline.operations.sources import SourceWriter
from pipeline.settings import Settings

pytestmark = [pytest.mark.services, pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(240)]

FAR_AHEAD = 2**62
TICK_EVERY = 4_000


def replay(settings: Settings, folder: Path, example: Path, data: Path) -> tuple[Summary, Summary]:
    """The summaries of `replay` and of `run`, from the command line."""
    throughline = CommandLine(
        folder,
        {
            "home": settings.home,
            "kafka": settings.kafka,
            "clickhouse": settings.clickhouse,
            "metrics_port": 0,
        },
    )
    arguments = [
        "--map",
        example / "map.yaml",
        "--mapping",
        example / "mapping.yaml",
        "--data",
        data,
        "--json",
    ]
    in_memory = throughline.start("run", *arguments)
    done = throughline("replay", *arguments, "--name", settings.namespace, within=200)
    out, err = in_memory.communicate(timeout=60)
    assert (done.code, in_memory.returncode) == (0, 0), done.err + err
    return summary(done.out), summary(out)


def summary(text: str) -> Summary:
    import msgspec

    return msgspec.convert(json.loads(text), Summary)


def test_a_replay_of_olist_gives_the_figures_and_is_equal_to_a_run(
    new_settings: NewSettings, olist: Example, tmp_path: Path
) -> None:
    replayed, ran = replay(new_settings(), tmp_path, olist.folder, olist.data)
    assert replayed.as_of == datetime(2018, 10, 22, 3, 33, 14, tzinfo=UTC)
    assert figures(replayed) == OLIST
    assert (replayed.unmapped, replayed.dead_letters, replayed.rejected_rows, replayed.after_as_of) == (
        0,
        0,
        0,
        0,
    )
    assert replayed == ran


def test_a_replay_of_the_loans_gives_the_figures_and_is_equal_to_a_run(
    new_settings: NewSettings, data_folder: Path, tmp_path: Path
) -> None:
    example = Path(__file__).parents[2] / "examples" / "loans"
    replayed, ran = replay(new_settings(), tmp_path, example, data_folder / "bpic2012")
    assert figures(replayed) == LOANS
    assert replayed == ran


def feed_disordered(
    writer: SourceWriter, events: Iterable[ImportedEvent], lateness: float, seed: int
) -> None:
    """Each event arrives after it happened, by less than the lateness; ticks say only what is true."""
    chance = random.Random(seed)
    delayed = sorted(
        (event.time + chance.randrange(round(lateness * 1e6)), n, event) for n, event in enumerate(events)
    )
    arriving = [event for *_, event in delayed]
    oldest_to_come = [FAR_AHEAD]
    for event in reversed(arriving):
        oldest_to_come.append(min(oldest_to_come[-1], event.time))
    oldest_to_come.reverse()
    for number, event in enumerate(arriving):
        if number % TICK_EVERY == TICK_EVERY - 1:
            writer.tick(oldest_to_come[number])
        writer.send(event.domain, event.key, event.value)


@pytest.mark.faults  # in memory it is held to the same figures in every run
def test_olist_in_another_order_of_arrival_gives_the_figures(
    new_settings: NewSettings, olist: Example
) -> None:
    settings = new_settings(journey_map=olist.folder / "map.yaml")
    newest = olist.report.newest
    assert newest is not None
    with running(settings, workers=2) as pipeline:
        with pipeline.writer() as writer:
            feed_disordered(writer, olist.events, settings.lateness_seconds, seed=11)
            writer.tick(newest)
        pipeline.wait()
        assert figures(pipeline.summary(moment(newest))) == OLIST
        assert pipeline.letters() == []
