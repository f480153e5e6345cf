"""A real worker over personal values: what it logs, what it answers over HTTP, and when it says that it is ready."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from embedded_services import free_port
from pipelines import NewSettings, Pipeline, running, until
from small_shop import SmallShop

from pipeline.settings import Settings

pytestmark = [pytest.mark.services, pytest.mark.slow]

MAIL, NAME, STREET, PHONE = "anna.muster@example.com", "Annegret Muster", "Lindenallee 17", "+49 171 5550123"
PERSONAL = (MAIL, NAME, STREET, PHONE, "Annegret", "Lindenallee", "5550123", "o-anna-1")


def touchpoint(number: str, **other: Any) -> bytes:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"o-anna-{number}",
            "source": "/shop",
            "type": "sales.order.placed",
            "subject": NAME,
            "time": "2018-05-01T10:00:00Z",
            "identities": {"customer_id": MAIL, "order_id": f"o-anna-{number}"},
            "data": {"promised": "2018-05-05T00:00:00Z", "name": NAME, "street": STREET, "phone": PHONE},
            **other,
        }
    ).encode()


BAD = (
    touchpoint("2", data={"promised": f"{NAME}, {STREET}"}),
    touchpoint("3", time=f"at {MAIL}"),
    touchpoint("4", identities={"customer_id": [MAIL]}),
    touchpoint("5", identities={MAIL: NAME}),
    touchpoint("6", type=f"{NAME}.{STREET}"),
    touchpoint("7", specversion=PHONE),
    f'{{"id": "{MAIL}", "name": {NAME}'.encode(),
    f"\xff{MAIL}".encode("latin-1"),
)


def asked(settings: Settings, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{settings.metrics_port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def log_of(settings: Settings) -> list[str]:
    return (settings.home / "logs" / f"{settings.namespace}-worker-0.log").read_text("utf-8").splitlines()


def personal_in(text: str) -> list[str]:
    return [value for value in PERSONAL if value.lower() in text.lower()]


def read_everything(pipeline: Pipeline) -> None:
    with pipeline.writer() as writer:
        writer.send("sales", MAIL.encode(), touchpoint("1"), [("customer", NAME.encode())])
        for bad in BAD:
            writer.send("sales", MAIL.encode(), bad)
    pipeline.wait()
    assert len(pipeline.letters()) > 4


def test_no_personal_value_is_in_the_log_or_in_what_is_answered(
    new_settings: NewSettings, shop: SmallShop
) -> None:
    settings = new_settings(journey_map=shop.map, metrics_port=free_port())
    with running(settings) as pipeline:
        read_everything(pipeline)
        assert personal_in(" ".join(letter.value.decode("latin-1") for letter in pipeline.letters()))
        answers = [asked(settings, path)[1] for path in ("/metrics", "/readyz", "/livez", "/")]
    lines = log_of(settings)
    for line in lines:
        assert {"time", "level", "event"} <= json.loads(line).keys(), line
    assert personal_in("\n".join([*lines, *answers])) == []
    assert 'throughline_dead_letters_total{code="' in answers[0]


def test_the_log_of_a_worker_that_stops_for_its_bad_records_names_none_of_them(
    new_settings: NewSettings, shop: SmallShop
) -> None:
    settings = new_settings(journey_map=shop.map, dead_letter_window=100, dead_letter_max_share=0.01)
    with running(settings) as pipeline:
        with pipeline.writer() as writer:
            for bad in BAD:
                writer.send("sales", MAIL.encode(), bad)
        until(lambda: any("dead_letter_max_share" in line for line in log_of(settings)), "the worker stops")
    assert personal_in("\n".join(log_of(settings))) == []


def test_a_worker_becomes_ready_and_says_what_it_waits_for_until_then(
    new_settings: NewSettings, shop: SmallShop
) -> None:
    settings = new_settings(journey_map=shop.map, metrics_port=free_port())
    waited_for: list[dict[str, Any]] = []

    def becomes_ready() -> bool:
        code, body = asked(settings, "/readyz")
        if code == 503:
            waited_for.extend(json.loads(body)["waiting_for"])
        return code == 200

    with running(settings) as pipeline:
        until(becomes_ready, "the worker is ready")
        assert {"why": "the group is handing out its partitions"} in waited_for
        code, body = asked(settings, "/livez")
        assert (code, sorted(json.loads(body)["silent_seconds"])) == (200, ["consumer", "event loop", "poll"])
        metrics = asked(settings, "/metrics")[1]
        for topic in (settings.topology.identity, settings.topology.journeys):
            assert f'topic="{topic}"' in metrics

        def is_told() -> bool:
            pipeline.tree.check()
            return f"{settings.namespace}-worker-0 is ready" in pipeline.told

        until(is_told, "the user is told that it is ready")
