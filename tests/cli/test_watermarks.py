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


def test_what_a_worker_tells_of_a_partition_that_it_has_lost_holds_nobody_back() -> None:
    """Its value stays as it was when another worker took the partition over."""
    assert watermarks([told("ingest", 0, 2.0), told("ingest", 0, 7.0)]) == {"ingest": 7.0}
    assert watermarks([told("ingest", 0, 7.0), told("ingest", 0, 2.0)]) == {"ingest": 7.0}


def test_other_samples_say_nothing_of_watermarks() -> None:
    assert watermarks([Sample("throughline_batch_seconds_sum", {"stage": "ingest"}, 1.0)]) == {}
