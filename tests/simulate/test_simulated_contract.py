"""What the simulator sends, held against the contracts: good records pass, bad ones fail as they should."""

from __future__ import annotations

from random import Random

import pytest

from pipeline.core.binary import structured
from pipeline.core.dead_letters import RefusedError
from pipeline.core.validation import read_event
from pipeline.simulate.bad_records import SPOILERS, Spoiler
from pipeline.simulate.episode import Episode, Event, Outcomes
from pipeline.simulate.faults import SimulatedRecord
from pipeline.simulate.truth import DeadLetterTruth, Truth, fingerprint
from schemas.catalogue import CATALOGUE
from schemas.dead_letter import ErrorCode

BEYOND_THE_CONTRACT = {ErrorCode.IMPOSSIBLE_TIME, ErrorCode.NO_IDENTITY, ErrorCode.OVERSIZED}
"""Codes that only ingest can tell, from its settings and the record's time."""


def order() -> Event:
    episode = Episode(Random(1), "1.2.3", "C-1.2", 1_772_445_600_000_000, Outcomes())
    ids = {"customer_id": "C-1.2", "order_id": "O-1.2.3-1"}
    episode.tell(episode.start, "sales.order.placed", ids, {"value": 149.0}, "success")
    return episode.events[0]


def test_every_good_record_keeps_the_contract(records: list[SimulatedRecord], truth: list[Truth]) -> None:
    refused = {line.fingerprint for line in truth if isinstance(line, DeadLetterTruth)}
    types = set()
    for record in records:
        if record.tick is None and fingerprint(record.value) not in refused:
            types.add(read_event(structured(record.headers, record.value)).type)
    assert types & set(CATALOGUE)


@pytest.mark.parametrize("spoiler", [s for s in SPOILERS if s.code not in BEYOND_THE_CONTRACT])
def test_a_bad_record_is_refused_with_the_code_that_the_truth_names(spoiler: Spoiler) -> None:
    value, headers = spoiler.spoil(order())
    with pytest.raises(RefusedError) as refused:
        read_event(structured(headers, value))
    assert refused.value.code == spoiler.code


@pytest.mark.parametrize("spoiler", SPOILERS)
def test_bad_records_of_two_touchpoints_are_told_apart(spoiler: Spoiler) -> None:
    one, other = order(), order()
    other.id = "1.2.3-9"
    assert fingerprint(spoiler.spoil(one)[0]) != fingerprint(spoiler.spoil(other)[0])
