"""A unit against a real broker: fencing, recovery to the very end, positions that cannot be right."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from counting_worker import Counting
from engine_place import Place

from pipeline.engine.changelog import RecoveryError
from pipeline.engine.errors import FencedError, PositionLostError
from pipeline.engine.logs import Logs
from pipeline.engine.opening import UNREAD, Committed
from pipeline.engine.unit import Outcome, Unit
from pipeline.engine.unpacking import ConsumedRecord
from pipeline.ports import Outbox, Record

pytestmark = [
    pytest.mark.services,
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),  # inside kafka-python
]


def record(offset: int, value: bytes = b"x", key: bytes = b"k") -> ConsumedRecord:
    return ConsumedRecord("in", 0, offset, 0, key, value, [])


def apply(unit: Unit, *offsets: int) -> Outcome:
    return unit.process([record(offset) for offset in offsets], offsets[0], offsets[-1] + 1)


def test_a_former_owner_that_comes_back_is_fenced_and_what_it_says_is_not_seen(place: Place) -> None:
    place.send([(b"k", b"x")] * 4, partition=0)
    frozen = place.open()
    assert apply(frozen, 0, 1) is Outcome.COMMITTED
    owner = place.open()
    with pytest.raises(FencedError, match="another worker has opened"):
        apply(frozen, 2)
    frozen.close()
    assert apply(owner, 2, 3) is Outcome.COMMITTED
    owner.close()
    assert [value for _, value in place.read(4)] == [b"x 1", b"x 2", b"x 3", b"x 4"]


def test_a_unit_reads_back_its_state_and_its_position(place: Place) -> None:
    place.send([(b"k", b"x")] * 7, partition=0)
    first = place.open()
    apply(first, 0, 1, 2)
    first.close()
    second = place.open()
    assert second.position == 3
    assert apply(second, 3) is Outcome.COMMITTED
    second.close()
    assert place.read(4)[-1] == (b"k", b"x 4")


def test_a_transaction_that_took_too_long_is_over_and_a_new_unit_goes_on(place: Place) -> None:
    """The broker aborts it and fences its producer: the same error as of another owner."""
    place.send([(b"k", b"x")] * 2, partition=0)
    unit = place.open(transaction_timeout=1.0, factory=lambda _, store: SlowOnce(store, place.output, 13.0))
    with pytest.raises(Exception) as caught:  # noqa: PT011 - librdkafka says it in two ways
        apply(unit, 0)
    assert "fenced" in str(caught.value) or "_TIMED_OUT" in str(caught.value)
    unit.close()
    again = place.open()
    assert again.position == 0
    assert apply(again, 0, 1) is Outcome.COMMITTED
    again.close()
    assert [value for _, value in place.read(2)] == [b"x 1", b"x 2"]


class SlowOnce(Counting):
    """Takes its time once, after it has sent."""

    def __init__(self, store: object, output: str, seconds: float) -> None:
        super().__init__(store, output)  # type: ignore[arg-type]
        self._seconds = seconds

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        outbox.send(self._output, b"never seen", b"k", 0)
        outbox_flush(outbox)
        time.sleep(self._seconds)
        super().process(records, outbox)


def outbox_flush(outbox: Outbox) -> None:
    """So that the broker knows of the transaction."""
    outbox._producer.flush(5)  # type: ignore[attr-defined]


def test_a_transaction_that_took_too_long_is_told_as_that_also_while_its_records_are_made(
    place: Place,
) -> None:
    """librdkafka's answer to the next record may be that it can't go on, and no more (see test_unit.py)."""
    place.send([(b"k", b"x")], partition=0)
    unit = place.open(transaction_timeout=1.0, factory=lambda _, store: GoesOn(store, place.output, 13.0))
    with pytest.raises(FencedError, match="the transaction took longer than its timeout"):
        apply(unit, 0)
    unit.close()


class GoesOn(SlowOnce):
    """Sends more after the time has passed, until it is told."""

    def process(self, records: Iterable[Record], outbox: Outbox) -> None:
        outbox.send(self._output, b"never seen", b"k", 0)
        outbox_flush(outbox)
        time.sleep(self._seconds)
        for _ in range(50):
            outbox.send(self._output, b"never seen either", b"k", 0)
            outbox_flush(outbox)


def test_an_open_transaction_at_the_changelogs_end_does_not_end_recovery_early(place: Place) -> None:
    place.send([(b"k", b"x")] * 6, partition=0)
    first = place.open()
    other = place.open_transaction(place.changelog)
    apply(first, 0, 1, 2, 3, 4, 5)
    first.close()
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(place.open)
        time.sleep(1.5)
        assert not opening.done(), "recovery took the end of the partition for the end of the log"
        other.abort_transaction(10)
        second = opening.result(20)
    assert second.position == 6
    second.close()


def test_recovery_behind_a_transaction_that_never_ends_gives_up_and_says_why(place: Place) -> None:
    other = place.open_transaction(place.changelog)
    with pytest.raises(RecoveryError, match="another producer has a transaction open"):
        place.open(recovery_timeout=1.0)
    other.abort_transaction(10)


def test_a_position_before_the_logs_start_stops_the_worker(place: Place) -> None:
    place.send([(b"k", b"x")] * 8, partition=0)
    unit = place.open()
    apply(unit, 0, 1)
    unit.close()
    admin = AdminClient(place.options)
    (deleted,) = admin.delete_records([TopicPartition(place.source, 0, 5)]).values()
    deleted.result(10)
    with pytest.raises(
        PositionLostError, match=r"position 2 .* outside its log \[5, 8\]: retention has removed"
    ):
        place.open()


def test_an_empty_changelog_beside_a_group_offset_stops_the_worker(place: Place) -> None:
    with pytest.raises(PositionLostError, match="deleted or made anew"):
        place.open(committed=Committed(17, "some-topic-id"))


def test_an_empty_changelog_beside_an_offset_that_only_claimed_the_partition_is_a_beginning(
    place: Place,
) -> None:
    unit = place.open(committed=Committed(0, UNREAD))
    assert unit.position == 0
    unit.close()


def test_a_parked_unit_is_kept_while_nobody_has_written_to_its_changelog(place: Place) -> None:
    place.send([(b"k", b"x")] * 2, partition=0)
    logs = Logs(place.options)
    parked = place.open()
    assert parked.keeps(logs)
    apply(parked, 0)
    wait_for_markers(parked, logs)
    other = place.open()
    apply(other, 1)
    wait_for_markers(other, logs)
    assert not parked.keeps(logs)
    for unit in (parked, other):
        unit.close()


def wait_for_markers(unit: Unit, logs: Logs) -> None:
    """A commit is answered before its markers are written."""
    deadline = time.monotonic() + 10
    while not unit.keeps(logs):
        assert time.monotonic() < deadline, "the unit does not know its own last commit"
        time.sleep(0.02)


def test_a_quiet_unit_stores_that_it_has_read_the_markers_at_the_end(place: Place) -> None:
    """Else retention could move the log's start over a position behind which there was nothing to read."""
    first = place.open()
    apply(first, 0, 1)
    first.quiet(0, 5)
    assert first.position == 5
    first.close()
    place.send([(b"k", b"x")] * 5, partition=0)
    second = place.open()
    assert second.position == 5
    second.close()


def test_an_abandoned_batch_is_not_committed(place: Place) -> None:
    entered, leave = threading.Event(), threading.Event()

    class Waiting(Counting):
        def process(self, records: Iterable[Record], outbox: Outbox) -> None:
            super().process(records, outbox)
            entered.set()
            leave.wait(20)

    unit = place.open(factory=lambda _, store: Waiting(store, place.output))
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(apply, unit, 0)
        assert entered.wait(10)
        unit.abandon()
        leave.set()
        assert "abandoned" in str(working.exception(20))
    unit.close()
    assert place.read(1, seconds=1) == []
