"""The engine on a real broker: whatever happens to its workers, each record counts once."""

from __future__ import annotations

import signal
import time

import pytest
from engine_place import Place, Worker, assert_counted_once, numbered, until

from pipeline.engine.errors import EXIT_ABANDONED, EXIT_DRAINED, EXIT_FAILED, EXIT_STOPPED
from pipeline.engine.topics import delete_topics

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),  # inside kafka-python
]


def test_each_record_counts_once_although_one_of_two_workers_is_killed_in_the_middle(place: Place) -> None:
    sent = numbered(40_000)
    first, second = place.worker(), place.worker()
    place.send(sent[:20_000])
    place.read(3_000)
    first.kill()
    place.send(sent[20_000:])
    third = place.worker()
    assert_counted_once(place.read(len(sent)), sent)
    assert second.running
    assert third.running


def test_each_record_counts_once_although_a_worker_was_frozen_past_its_session(place: Place) -> None:
    sent = numbered(20_000)
    first, second = place.worker(), place.worker()
    place.send(sent[:10_000])
    place.read(2_000)
    first.signal(signal.SIGSTOP)
    place.send(sent[10_000:])
    found = place.read(len(sent))  # the other one has taken everything over
    first.signal(signal.SIGCONT)
    time.sleep(2)
    assert_counted_once(place.read(len(found)), sent)
    assert second.running


def test_workers_that_come_and_go_lose_and_repeat_nothing(place: Place) -> None:
    sent = numbered(30_000)
    workers = [place.worker()]
    for part in range(6):
        place.send(sent[5_000 * part : 5_000 * (part + 1)])
        if part % 2:
            workers[part // 2].signal(signal.SIGTERM)
        else:
            workers.append(place.worker())
        place.read(5_000 * part + 1_000)
    assert_counted_once(place.read(len(sent)), sent)
    assert [worker.wait(20) for worker in workers[:3]] == [EXIT_DRAINED] * 3
    assert "Traceback" not in "".join(worker.log for worker in workers)


def test_a_group_offset_ahead_of_the_last_transaction_skips_nothing(place: Place) -> None:
    sent = numbered(2_000)
    place.send(sent[:1_000])
    worker = place.worker()
    place.read(1_000)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == EXIT_DRAINED
    place.send(sent[1_000:])
    place.commit_group_offset(0, 400)
    place.commit_group_offset(1, 800)
    place.worker()
    assert_counted_once(place.read(len(sent)), sent)


def test_the_group_offset_follows_to_the_very_end_so_that_lag_becomes_nothing(place: Place) -> None:
    """The input was written in transactions: behind its last record there is a marker that nobody reads."""
    place.send(numbered(1_000))
    place.worker()
    place.read(1_000)
    until(lambda: sum(place.group_offsets().values()) == 1_000)


def test_sigterm_finishes_the_batch_under_way(place: Place) -> None:
    worker = place.worker()
    place.send([(b"a", b"slow:2")], partition=0)
    worker.await_log("slow")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == EXIT_DRAINED
    assert place.read(1, seconds=5) == [(b"a", b"slow:2 1")]
    assert place.group_offsets()[0] == 1


def test_sigterm_abandons_a_batch_that_outlives_the_deadline(place: Place) -> None:
    worker = place.worker(drain=1.0)
    place.send([(b"a", b"slow:60")], partition=0)
    worker.await_log("slow")
    worker.signal(signal.SIGTERM)
    assert worker.wait(25) == EXIT_ABANDONED
    assert place.read(1, seconds=2) == []
    assert place.group_offsets()[0] == 0


def test_a_second_signal_ends_a_worker_that_still_drains(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG", "INFO")
    worker = place.worker(drain=300.0)
    place.send([(b"a", b"slow:300")], partition=0)
    worker.await_log("slow")
    worker.signal(signal.SIGTERM)
    worker.await_log("stopping: batches under way are finished first")
    assert worker.running
    worker.signal(signal.SIGTERM)
    assert worker.wait(25) == EXIT_ABANDONED
    assert place.read(1, seconds=2) == []
    assert place.group_offsets()[0] == 0


def test_a_logic_that_keeps_raising_stops_the_worker_and_names_the_batch(place: Place) -> None:
    place.send([(b"a", b"1"), (b"a", b"boom"), (b"a", b"2")], partition=1)
    worker = place.worker()
    assert worker.wait() == EXIT_FAILED
    assert f"the batch of {place.source}-1 with the offsets 0 to 2 failed 4 times" in worker.log
    assert "last with RuntimeError at counting_worker.py:" in worker.log
    assert "cannot be counted" not in worker.log, "what a logic raises may quote a customer"
    assert place.read(1, seconds=2) == []
    assert place.group_offsets()[1] == 0


def test_a_logic_that_says_stop_stops_the_worker_at_once_with_its_message(place: Place) -> None:
    place.send([(b"a", b"halt")], partition=1)
    worker = place.worker()
    assert worker.wait() == EXIT_STOPPED
    assert worker.log.count("The record says halt: remove it.") == 1


def test_one_slow_partition_does_not_hold_up_the_others(place: Place) -> None:
    place.worker()
    place.send([(b"a", b"slow:15")], partition=0)
    place.send([(b"b", b"%d" % number) for number in range(3_000)], partition=1)
    began = time.monotonic()
    found = place.read(3_000)
    assert {key for key, _ in found} == {b"b"}, "the slow partition was quicker than the quick one"
    assert len(found) == 3_000, f"only {len(found)} after {time.monotonic() - began:.0f} s"


@pytest.mark.parametrize("topic", ["source", "changelog"])
def test_a_topic_made_anew_stops_the_worker_with_the_remedy(place: Place, topic: str) -> None:
    place.send(numbered(100))
    run_until_counted(place, 100)
    place.remake(getattr(place, topic))
    worker = place.worker()
    assert worker.wait() == EXIT_STOPPED
    assert "made anew" in worker.log
    assert "start the pipeline under a new name" in worker.log


def test_a_missing_topic_stops_the_worker_with_the_command_that_makes_it(place: Place) -> None:
    delete_topics(place.admin, [place.changelog])
    worker = place.worker()
    assert worker.wait() == EXIT_STOPPED
    assert f"the Kafka topic '{place.changelog}' does not exist" in worker.log
    assert "throughline prepare" in worker.log


def test_a_broker_that_is_not_there_is_an_error_with_its_address(place: Place) -> None:
    place.bootstrap = "127.0.0.1:9"
    worker = place.worker()
    assert worker.wait() == EXIT_FAILED
    assert "Kafka at 127.0.0.1:9 can't be used" in worker.log


def run_until_counted(place: Place, count: int) -> Worker:
    worker = place.worker()
    assert len(place.read(count)) == count
    worker.signal(signal.SIGTERM)
    assert worker.wait() == EXIT_DRAINED
    return worker
