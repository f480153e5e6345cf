"""What `status` says of watermarks, from what the workers tell on their metrics ports."""

from __future__ import annotations

from prometheus_client.samples import Sample

from pipeline.cli.status import watermarks


def told(stage: str, partition: int, seconds: float) -> Sample:
    labels = {"stage": stage, "topic": "t", "partition": str(partition)}
    return Sample("throughline_watermark_seconds", labels, seconds)


def test_a_stage_is_as_far_as_its_partition_that_is_furthest_behind() -> None:
    assert watermarks([told("ingest", 0, 7.0), told("ingest", 1, 5.0), told("journey", 0, 3.0)]) == {
        "ingest": 5.0,
        "journey": 3.0,
    }


def test_a_partition_that_moves_while_workers_are_asked_is_as_far_as_the_later_of_them_says() -> None:
    """They are asked one after the other, and its former owner may have been asked before it lost it."""
    assert watermarks([told("ingest", 0, 2.0), told("ingest", 0, 7.0)]) == {"ingest": 7.0}
    assert watermarks([told("ingest", 0, 7.0), told("ingest", 0, 2.0)]) == {"ingest": 7.0}


def test_other_samples_say_nothing_of_watermarks() -> None:
    assert watermarks([Sample("throughline_batch_seconds_sum", {"stage": "ingest"}, 1.0)]) == {}
