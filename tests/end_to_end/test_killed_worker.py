"""A worker that is killed in the middle costs time and nothing else."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from example_data import Example
from pipelines import NewSettings, running, until

from pipeline.core.instants import micros, moment
from pipeline.core.plan import compile_plan
from pipeline.core.run import RunConfig, run
from pipeline.maps import load_map
from pipeline.operations.caught_up import Watcher
from pipeline.operations.feeding import feed

pytestmark = [pytest.mark.services, pytest.mark.data, pytest.mark.faults, pytest.mark.timeout(240)]

NOW = micros(datetime(2026, 1, 1, tzinfo=UTC))


def worker_process(home: Path) -> int:
    """One of the worker processes that work in `home`."""
    for process in psutil.process_iter():
        try:
            works = process.cmdline()[1:4] == ["-m", "pipeline", "worker"]
            if works and process.environ().get("THROUGHLINE_HOME") == str(home):
                return process.pid
        except (psutil.Error, IndexError):
            continue
    raise AssertionError(f"no worker works in {home}")


def test_a_worker_killed_in_the_middle_changes_no_figure(new_settings: NewSettings, olist: Example) -> None:
    journey_map = olist.folder / "map.yaml"
    settings = new_settings(journey_map=journey_map, batch_records=200)
    some = [event for event in olist.events if event.key[:1] in b"0123"]
    newest = olist.report.newest
    assert newest is not None
    expected = run(compile_plan(load_map(journey_map)), some, RunConfig("x", NOW), newest).summary
    with running(settings, workers=2) as pipeline:
        with pipeline.writer() as writer:
            feed(some, writer, newest)
        watcher = Watcher(settings.kafka_client, settings.topology)

        def is_in_the_middle() -> bool:
            lags = [lag for lag in watcher.lags() if lag.topic == settings.topology.enriched]
            return sum(lag.end for lag in lags) > 500

        until(is_in_the_middle, "some touchpoints have come out")
        assert not watcher.at_rest()
        watcher.close()
        os.kill(worker_process(settings.home), signal.SIGKILL)
        pipeline.wait()
        assert pipeline.summary(moment(newest)) == expected
