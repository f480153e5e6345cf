"""Records that can't be touchpoints: kept with a reason, listed, corrected, sent again; too many stop the worker."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine
from pipelines import NewSettings, running
from small_shop import SmallShop

from pipeline.core.instants import micros
from pipeline.operations.sources import SourceWriter
from pipeline.settings import Settings
from schemas.dead_letter import ErrorCode

pytestmark = pytest.mark.services

AS_OF = datetime(2018, 5, 2, tzinfo=UTC)


def order(number: str, **changes: Any) -> dict[str, Any]:
    """A purchase by CloudEvents' structured mode; a change to None leaves the attribute out."""
    event = {
        "specversion": "1.0",
        "id": number,
        "source": "/shop",
        "type": "sales.order.placed",
        "time": "2018-05-01T10:00:00Z",
        "identities": {"customer_id": "anna", "order_id": number},
        "data": {"promised": "2018-05-05T00:00:00Z"},
    }
    return {name: value for name, value in (event | changes).items() if value is not None}


BAD: dict[str, tuple[bytes, ErrorCode, str]] = {
    "malformed JSON": (b'{"specversion": "1.0", "id"', ErrorCode.MALFORMED_JSON, ""),
    "wrong type": (json.dumps(order("o-1", id=12)).encode(), ErrorCode.WRONG_TYPE, "id"),
    "missing id": (json.dumps(order("o-2", id=None)).encode(), ErrorCode.MISSING_FIELD, "id"),
    "impossible time": (
        json.dumps(order("o-3", time="2999-01-01T00:00:00Z")).encode(),
        ErrorCode.IMPOSSIBLE_TIME,
        "time",
    ),
    "no identity": (json.dumps(order("o-4", identities={})).encode(), ErrorCode.NO_IDENTITY, "identities"),
    "oversized": (json.dumps(order("o-5", data={"x": "y" * 300_000})).encode(), ErrorCode.OVERSIZED, ""),
    "as large as a topic takes": (b"x" * (10 * 1024 * 1024), ErrorCode.OVERSIZED, ""),
}


def command_line(settings: Settings, folder: Path) -> CommandLine:
    environment = settings.environment()
    return CommandLine(
        folder, {name.removeprefix("THROUGHLINE_"): value for name, value in environment.items()}
    )


def test_each_bad_record_becomes_a_letter_and_a_corrected_one_a_touchpoint_once(
    new_settings: NewSettings, shop: SmallShop, tmp_path: Path
) -> None:
    settings = new_settings(journey_map=shop.map)
    throughline = command_line(settings, tmp_path)
    with running(settings) as pipeline:
        with pipeline.writer() as writer:
            writer.send("sales", b"o-0", json.dumps(order("o-0")).encode())
            for number, (value, *_) in enumerate(BAD.values()):
                writer.send("sales", f"key-{number}".encode(), value)
            writer.tick(micros(AS_OF))
        pipeline.wait()
        letters = pipeline.letters()
        source = settings.topology.source("sales")
        assert [(each.value, each.letter.code, each.letter.path) for each in letters] == list(BAD.values())
        assert [each.key for each in letters] == [f"key-{number}".encode() for number in range(len(BAD))]
        assert {(each.letter.topic, each.letter.partition) for each in letters} == {(source, 0)}
        assert [each.letter.offset for each in letters] == list(range(1, len(BAD) + 1))

        listed = throughline("dlq", "list")
        assert listed.code == 0
        for letter in letters:
            assert f" {letter.letter.code} " in listed.out
            assert f"{source}, partition 0, offset {letter.letter.offset}" in " ".join(listed.out.split())
        assert listed.out.splitlines()[-1] == f"{len(BAD)} dead letters"

        corrected = tmp_path / "corrected.json"
        corrected.write_text(json.dumps(order("o-2")), "utf-8")
        for _ in range(2):
            sent = throughline("dlq", "replay", letters[2].offset, "--corrected", corrected)
            assert (sent.code, sent.out) == (0, "1 sent again\n")
        again = throughline("dlq", "replay", letters[3].offset)
        assert again.out == "1 sent again\n"
        pipeline.wait()
        summary = pipeline.summary(AS_OF)
        assert (summary.touchpoints, summary.persons, summary.dead_letters) == (2, 1, len(BAD) + 1)
        assert summary.promises["delivery"].open == 2
        assert pipeline.letters()[-1].letter.code == ErrorCode.IMPOSSIBLE_TIME
        assert sorted(pipeline.query("SELECT DISTINCT code FROM dead_letters")) == sorted(
            {(code.value,) for _, code, _ in BAD.values()}
        )


def in_binary_mode(event: dict[str, Any]) -> list[tuple[str, bytes]]:
    attributes = {name: value for name, value in event.items() if name != "data"}
    texts = {name: text if isinstance(text, str) else json.dumps(text) for name, text in attributes.items()}
    return [
        *((f"ce_{name}", text.encode()) for name, text in texts.items()),
        ("content-type", b"application/json"),
    ]


def test_a_record_in_binary_mode_is_corrected_by_its_event_or_by_its_data_alone(
    new_settings: NewSettings, shop: SmallShop, tmp_path: Path
) -> None:
    settings = new_settings(journey_map=shop.map, dead_letter_max_share=1)
    throughline = command_line(settings, tmp_path)
    event, data = tmp_path / "event.json", tmp_path / "data.json"
    event.write_text(json.dumps(order("o-1")), "utf-8")
    data.write_text(json.dumps(order("o-2")["data"]), "utf-8")
    with running(settings) as pipeline:
        with pipeline.writer() as writer:
            writer.send("sales", b"o-1", data.read_bytes(), in_binary_mode(order("o-1", id=None)))
            writer.send("sales", b"o-2", b"{", in_binary_mode(order("o-2")))
            writer.tick(micros(AS_OF))
        pipeline.wait()
        no_id, bad_data = pipeline.letters()
        assert [no_id.letter.path, bad_data.letter.path] == ["id", "data"]
        refused = throughline("dlq", "replay", no_id.offset, "--corrected", data)
        assert (refused.code, refused.out) == (2, "")
        assert "dead letter 0 was refused for id, which was told in its headers" in refused.said
        for letter, corrected in ((no_id, event), (bad_data, data)):
            sent = throughline("dlq", "replay", letter.offset, "--corrected", corrected)
            assert (sent.code, sent.out) == (0, "1 sent again\n")
        pipeline.wait()
        summary = pipeline.summary(AS_OF)
        assert (summary.touchpoints, summary.dead_letters) == (2, 2)
        assert summary.promises["delivery"].open == 2


def test_a_bad_deployment_stops_the_worker_with_what_to_do(
    new_settings: NewSettings, shop: SmallShop, tmp_path: Path
) -> None:
    settings = new_settings(
        journey_map=shop.map, services="external", dead_letter_window=100, home=tmp_path / "up"
    )
    throughline = command_line(settings, tmp_path)
    assert throughline("prepare").code == 0
    with SourceWriter(settings.kafka_client, settings.topology) as writer:
        for _ in range(200):
            writer.send("sales", b"", b"<order>")
    done = throughline("up", "--workers", 1, within=60)
    assert done.code == 1
    assert "worker-0 has ended with exit code 3 and is not started again" in done.said
    assert (
        f"{settings.topology.source('sales')}/0: 51 of the last 51 records were refused, 51 of them for malformed_json; "
        "mend what writes to this topic" in done.said
    )
