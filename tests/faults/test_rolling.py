"""Scenario 10: workers restarted one after the other with a changed map, or with another number of partitions."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster import NewSettings, cluster
from memory_oracle import expected
from workload import MAP, large, send, small

from pipeline.engine.errors import EXIT_DRAINED

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

CHANGES = {
    "expected: 36h": "expected: 20h",
    "due: {within: 24h}": "due: {within: 18h}",
    "expected: 6d": "expected: 5d",
    "times: 3": "times: 2",
    "probability: 50%": "probability: 60%",
}


@pytest.mark.faults
def test_a_rolling_restart_with_a_changed_map_ends_as_if_it_had_always_been(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    changed = tmp_path / "changed.yaml"
    text = MAP.read_text("utf-8")
    for before, after in CHANGES.items():
        assert before in text
        text = text.replace(before, after)
    changed.write_text(text, "utf-8")
    workload, settings = large(), new_settings()
    parts = workload.parts(4)
    with cluster(settings, tmp_path) as running:
        old = [running.start(), running.start()]
        send(settings, next(parts))
        running.settle()
        before = expected(workload, settings).outcome
        running.settings = settings.model_copy(update={"journey_map": changed})
        assert expected(workload, running.settings).outcome.findings != before.findings, (
            "the change changes nothing"
        )
        for worker in old:
            send(settings, next(parts))
            time.sleep(1)
            worker.child.ask_to_end()
            assert worker.await_end() == EXIT_DRAINED, worker.child.last_words(30)
            running.workers.remove(worker)
            running.start()
        send(settings, next(parts))
        assert_base(running, workload, f"2 workers restarted one by one with {len(CHANGES)} limits changed")


@pytest.mark.faults
def test_a_restart_with_another_number_of_partitions_is_refused_with_the_remedy(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    workload, settings = small(), new_settings()
    with cluster(settings, tmp_path) as running:
        more = running.start(partitions=settings.partitions + 1)
        assert more.await_end() not in {0, 1}
        assert (
            f"set the number to {settings.partitions}, or start the pipeline under a new name" in more.log()
        )
        running.workers.clear()
        send(settings, workload.records)
        running.start()
        assert_base(running, workload, f"a worker with {settings.partitions + 1} partitions refused")
