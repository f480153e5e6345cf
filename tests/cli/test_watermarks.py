"""What `status` says of watermarks, from what the workers tell on their metrics ports."""

from __future__ import annotations

import pytest
from prometheus_client.samples import Sample

from pipeline.cli import status
from pipeline.cli.status import watermarks
from pipeline.settings import Settings


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


@pytest.mark.parametrize(
    ("namespace", "said"),
    [
        (
            "desk",
            "no worker of 'desk' answers on 127.0.0.1, ports 19100 to 19163; those of a replay end with it",
        ),
        ("", "no worker of the live pipeline answers on 127.0.0.1, ports 19100 to 19163"),
    ],
)
def test_workers_of_another_pipeline_are_not_said_to_be_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], namespace: str, said: str
) -> None:
    others = Sample("throughline_watermark_seconds", {"pipeline": "other.throughline"}, 1.0)
    monkeypatch.setattr(status, "_samples", lambda _: iter([[others]]))
    status._show_watermarks(Settings(namespace=namespace))
    assert capsys.readouterr().out == f"watermarks are not known: {said}\n"


def test_the_learners_watermark_is_said_to_move_once_a_day(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = [told("learner", 0, 86_400.0), told("journey", 0, 90_000.0)]
    for sample in samples:
        sample.labels["pipeline"] = "throughline"
    monkeypatch.setattr(status, "_samples", lambda _: iter([samples]))
    status._show_watermarks(Settings())
    assert capsys.readouterr().out.splitlines() == [
        "watermark of journey: 1970-01-02T01:00:00+00:00",
        "watermark of learner: 1970-01-02T00:00:00+00:00 (it moves once a day)",
    ]
