"""Scenario 6, and the largest record of 7: poison among good records, a bad deployment, dead letters sent again twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cluster import NewSettings, cluster
from memory_oracle import expected
from workload import Workload, large, send, simulated, small

from pipeline.engine.errors import EXIT_STOPPED
from pipeline.operations.dead_letters import read_letters, send_again
from pipeline.simulate.faults import SimulatedRecord
from schemas.base import DOMAINS
from schemas.dead_letter import ErrorCode

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

POISON = 10_000
CORRECTED = 40
WINDOW = 2000


@pytest.mark.faults
def test_poison_among_good_records_takes_nothing_with_it(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    """And one record as large as a topic takes."""
    good, seeded = large(), random.Random(6)
    records = list(good.records)
    for number in range(POISON):
        bad = SimulatedRecord(0, seeded.choice(DOMAINS), b"poison", b'{"poison": %d' % number)
        records.insert(seeded.randrange(len(records)), bad)
    records.insert(len(records) // 2, SimulatedRecord(0, "sales", b"large", b"x" * (10 * 1024 * 1024)))
    # of a source that says little, the poison is more than half
    settings = new_settings(dead_letter_max_share=1)
    workload = Workload(tuple(records), good.customers, good.end)
    codes = expected(workload, settings).outcome.letters
    assert sum(code == ErrorCode.MALFORMED_JSON for _, code, _, _ in codes) >= POISON
    with cluster(settings, tmp_path) as running:
        running.start()
        running.start()
        send(settings, workload.records)
        assert_base(running, workload, f"{POISON} poison records, one of 10 MB")


@pytest.mark.faults
def test_a_bad_deployment_stops_the_worker_before_it_empties_the_topic(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    good = small()
    bad = tuple(
        SimulatedRecord(0, "sales", b"", b"<order number='%d'/>" % number) for number in range(20_000)
    )
    workload = Workload((*good.records, *bad), good.customers, good.end)
    settings = new_settings(dead_letter_window=WINDOW, partitions=2)
    with cluster(settings, tmp_path) as running:
        stopped = running.start()
        send(settings, workload.records)
        assert stopped.await_end() == EXIT_STOPPED
        running.workers.clear()
        assert "mend what writes to this topic" in stopped.log()
        letters = sum(
            each.value.startswith(b"<order")
            for each in read_letters(settings.kafka_client, settings.topology)
        )
        assert letters <= WINDOW
        running.settings = settings.model_copy(update={"dead_letter_max_share": 1.0})
        running.start()
        assert_base(
            running,
            workload,
            f"{len(bad)} records of a bad deployment, stopped after {letters} letters of them",
        )


@pytest.mark.faults
def test_dead_letters_that_are_corrected_and_sent_again_twice_take_effect_once(
    new_settings: NewSettings, tmp_path: Path, assert_base: Callable[..., None]
) -> None:
    """What was spoilt on its way comes to what it would have come to, but for the letters."""
    good, settings = simulated(300, 8), new_settings()
    seeded = random.Random(7)
    whole = [number for number, record in enumerate(good.records) if is_structured(record)]
    chosen = {good.records[number].value[:-1]: number for number in seeded.sample(whole, CORRECTED)}
    sent = list(good.records)
    for spoilt, number in chosen.items():
        sent[number] = sent[number]._replace(value=spoilt)
    with cluster(settings, tmp_path) as running:
        running.start()
        send(settings, tuple(sent))
        running.settle()
        again = [
            each for each in read_letters(settings.kafka_client, settings.topology) if each.value in chosen
        ]
        assert len(again) == CORRECTED
        for _ in range(2):
            for letter in again:
                corrected = good.records[chosen[letter.value]].value
                assert send_again(settings.kafka_client, settings.topology, [letter], corrected) == 1
        came_to = expected(good, settings)
        letters = came_to.outcome.letters.copy()
        for number in chosen.values():
            record = good.records[number]
            letters[record.domain, ErrorCode.MALFORMED_JSON, "", record.value[:-1]] += 1
        came_to = replace(
            came_to,
            outcome=replace(came_to.outcome, letters=letters),
            duplicates=came_to.duplicates + CORRECTED,
        )
        all_sent = Workload(
            (*sent, *(good.records[number] for _ in range(2) for number in chosen.values())), 0, good.end
        )
        assert_base(
            running, all_sent, f"{CORRECTED} dead letters corrected and sent again twice", came_to=came_to
        )


def is_structured(record: SimulatedRecord) -> bool:
    """A whole touchpoint: without its last byte it is none."""
    return (
        record.tick is None
        and len(record.headers) == 1
        and record.value[-1:] == b"}"
        and b"-bad" not in record.value
    )
