"""A unit of work without a broker: what it takes, what it commits, what an error leaves behind."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException
from unit_bench import Bench

from pipeline.engine.changelog import POSITION_KEY, Position, encode_position
from pipeline.engine.errors import FencedError
from pipeline.engine.unit import AbandonedError, Outcome
from pipeline.ports import Outbox


@pytest.fixture
def bench() -> Bench:
    return Bench()


def error(code: int) -> KafkaError:
    return KafkaError(code)


def test_outputs_state_and_position_are_one_transaction(bench: Bench) -> None:
    assert bench.process(range(10, 12)) is Outcome.COMMITTED
    assert bench.producer.committed == [
        [
            ("out", b"10", b"k", 0),
            ("out", b"11", b"k", 0),
            ("log", b"11", b"k", 3),
            ("log", encode_position(Position(12, "topic-id")), POSITION_KEY, 3),
        ]
    ]
    assert bench.unit.position == 12


def test_the_position_is_the_end_of_the_range_not_the_last_record(bench: Bench) -> None:
    bench.process(range(10, 12), end=15)
    assert bench.unit.position == 15


def test_a_batch_that_ends_before_the_position_is_dropped(bench: Bench) -> None:
    assert bench.process(range(5, 10)) is Outcome.DROPPED
    assert bench.producer.committed == []


def test_a_batch_that_overlaps_the_position_is_applied_from_there(bench: Bench) -> None:
    bench.process(range(8, 12))
    assert [sent[1] for sent in bench.producer.committed[0] if sent[0] == "out"] == [b"10", b"11"]


def test_a_batch_that_begins_after_the_position_is_a_gap_and_moves_nothing(bench: Bench) -> None:
    assert bench.process(range(11, 13)) is Outcome.GAP
    assert bench.producer.committed == []
    assert bench.unit.position == 10


def test_a_range_that_covers_holes_before_its_first_record_is_no_gap(bench: Bench) -> None:
    assert bench.process(range(12, 13), start=10) is Outcome.COMMITTED


def test_an_error_in_the_commit_leaves_the_position_where_it_was(bench: Bench) -> None:
    bench.producer.fails = error(KafkaError._TIMED_OUT)
    with pytest.raises(KafkaException):
        bench.process(range(10, 12))
    assert bench.unit.position == 10
    bench.unit.close()
    assert bench.producer.aborted == 1


@pytest.mark.parametrize(
    "code", [KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH]
)
def test_a_fenced_producer_is_told_apart_from_other_errors(bench: Bench, code: int) -> None:
    bench.producer.fails = error(code)
    with pytest.raises(FencedError, match="another worker has opened the partition"):
        bench.process(range(10, 12))


def test_a_transaction_that_was_fenced_while_its_records_were_made_is_told_as_that(bench: Bench) -> None:
    """librdkafka says no more of it than that it can't go on."""
    bench.producer.refuses = error(KafkaError._FATAL)
    with pytest.raises(FencedError, match="the transaction took longer than its timeout"):
        bench.process(range(10, 12))


def test_what_else_keeps_a_record_from_being_produced_is_told_as_it_is(bench: Bench) -> None:
    bench.producer.refuses = error(KafkaError.MSG_SIZE_TOO_LARGE)
    with pytest.raises(KafkaException):
        bench.process(range(10, 12))


def test_an_abandoned_unit_does_not_commit(bench: Bench) -> None:
    bench.unit.abandon()
    with pytest.raises(AbandonedError):
        bench.process(range(10, 12))
    assert bench.producer.committed == []


def test_a_full_queue_waits_for_the_broker(bench: Bench) -> None:
    bench.producer.room = 1
    assert bench.process(range(10, 12)) is Outcome.COMMITTED
    assert bench.producer.polls > 0


def test_a_quiet_unit_with_nothing_to_say_costs_no_transaction(bench: Bench) -> None:
    bench.unit.quiet(0, 10)
    assert bench.producer.committed == []
    assert bench.producer.open is None


def test_what_a_logic_says_when_it_is_quiet_is_committed_with_the_position(bench: Bench) -> None:
    def at_rest(outbox: Outbox) -> bool:
        outbox.send("out", b"idle", None, 0)
        return True

    bench.logic.at_rest = at_rest
    bench.unit.quiet(0, 10)
    assert [sent[1] for sent in bench.producer.committed[0]] == [
        b"idle",
        encode_position(Position(10, "topic-id")),
    ]


def test_a_quiet_unit_stores_how_far_it_has_read(bench: Bench) -> None:
    bench.unit.quiet(0, 13)
    assert bench.unit.position == 13
    assert bench.producer.committed == [[("log", encode_position(Position(13, "topic-id")), POSITION_KEY, 3)]]
