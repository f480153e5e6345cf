"""What a journey map lets be learned: read with its defaults, and refused by line, field and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.maps import MapError, load_map
from schemas.journey_map import JourneyMap
from schemas.learned import Forecast, LearnedLimit

GOOD = """\
version: 1
name: shop
touchpoints:
  sales.order.placed: {owner: sales}
  fulfilment.parcel.delivered: {owner: logistics}
  service.ticket.opened: {owner: service}
journeys:
  order:
    key: identities.order_id
    stages:
      in_transit:
        enter: sales.order.placed
        leave: fulfilment.parcel.delivered
        owner: logistics
        learned: {quantile: 95%, times: 1.5, least: 200, segment: data.carrier}
    promises:
      delivery:
        made_by: sales.order.placed
        due: {within: 3d}
        met_by: fulfilment.parcel.delivered
        owed_by: logistics
        at_risk: {probability: 50%, least: 200, segment: data.carrier, otherwise: 80%}
"""
LIMIT = "{quantile: 95%, times: 1.5, least: 200, segment: data.carrier}"
FORECAST = "{probability: 50%, least: 200, segment: data.carrier, otherwise: 80%}"
STAGE, DELIVERY = "journeys.order.stages.in_transit", "journeys.order.promises.delivery"


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    return tmp_path / "map.yaml"


def loaded(path: Path, text: str = GOOD) -> JourneyMap:
    path.write_text(text, encoding="utf-8")
    return load_map(path)


def problems(path: Path, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(MapError) as caught:
        loaded(path, text)
    return [(problem.line, problem.field, problem.message) for problem in caught.value.problems]


def test_what_is_learned_is_read_as_it_is_written(map_file: Path) -> None:
    order = loaded(map_file).journeys["order"]

    assert order.stages["in_transit"].learned == LearnedLimit(
        quantile=0.95, times=1.5, least=200, segment="data.carrier"
    )
    assert order.deadlines["delivery"].forecast == Forecast(
        probability=0.5, least=200, segment="data.carrier", otherwise=0.8
    )


def test_what_is_left_out_has_its_default(map_file: Path) -> None:
    text = GOOD.replace(LIMIT, "{}").replace(FORECAST, "{probability: 0.5}")

    order = loaded(map_file, text).journeys["order"]

    assert order.stages["in_transit"].learned == LearnedLimit(quantile=0.95, times=1, least=100, segment=None)
    assert order.deadlines["delivery"].forecast == Forecast(
        probability=0.5, least=100, segment=None, otherwise=0.75
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"learned: {LIMIT}", "expected: 4d"),
        (f"learned: {LIMIT}", f"expected: 4d\n        learned: {LIMIT}"),
        (f"learned: {LIMIT}", f"learned: {LIMIT}\n        warn_at: [50%]\n        abandoned_after: 9d"),
        (f"at_risk: {FORECAST}", "at_risk: 90%"),
        (f"at_risk: {FORECAST}", f"at_risk: {FORECAST}\n        cancelled_by: service.ticket.opened"),
    ],
)
def test_these_are_limits_and_forecasts_too(map_file: Path, old: str, new: str) -> None:
    text = GOOD.replace(old, new, 1)

    assert text != GOOD
    assert loaded(map_file, text)


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "message"),
    [
        (
            LIMIT,
            f"{LIMIT}\n        paused_by: service.ticket.opened\n        resumed_by: fulfilment.parcel.delivered",
            16,
            f"{STAGE}.paused_by",
            "a limit is learned from whole stays, which nothing pauses or begins anew; take out either this or `learned`",
        ),
        (
            LIMIT,
            f"{LIMIT}\n        reset_by: service.ticket.opened",
            16,
            f"{STAGE}.reset_by",
            "a limit is learned from whole stays, which nothing pauses or begins anew; take out either this or `learned`",
        ),
        (
            f"learned: {LIMIT}",
            "warn_at: [50%]",
            15,
            f"{STAGE}.warn_at",
            "without `expected` or `learned` the stage has no limit; add one, or take this out",
        ),
        (
            f"learned: {LIMIT}",
            "abandoned_after: 2d",
            15,
            f"{STAGE}.abandoned_after",
            "without `expected` or `learned` the stage has no limit; add one, or take this out",
        ),
        (LIMIT, "95%", 15, f"{STAGE}.learned", "this has to be `key: value` lines, but it is '95%'"),
        (
            "quantile: 95%",
            "quantil: 95%",
            15,
            f"{STAGE}.learned.quantil",
            "there is no field 'quantil' here (did you mean 'quantile'?); the fields are quantile, times, least, segment",
        ),
        ("95%", "1.5", 15, f"{STAGE}.learned.quantile", "this has to be less than 1"),
        ("95%", "high", 15, f"{STAGE}.learned.quantile", "write a share such as 75% or 0.75, not 'high'"),
        (
            "least: 200",
            "least: 3",
            15,
            f"{STAGE}.learned.least",
            "this has to be greater than or equal to 10",
        ),
        ("times: 1.5", "times: 0", 15, f"{STAGE}.learned.times", "this has to be greater than 0"),
        (
            "segment: data.carrier}",
            "segment: identities.parcel}",
            15,
            f"{STAGE}.learned.segment",
            "the identifier kind 'parcel' is not declared; ",
        ),
        (
            "segment: data.carrier}",
            "segment: carrier}",
            15,
            f"{STAGE}.learned.segment",
            "'carrier' is not allowed here; a field is data.<name>, identities.<kind>, subject or outcome",
        ),
        (
            FORECAST,
            f"{FORECAST}\n        paused_by: service.ticket.opened\n        resumed_by: fulfilment.parcel.delivered",
            23,
            f"{DELIVERY}.paused_by",
            "how probable it is that a promise breaks is known only of a clock that runs through; take this out, or write a",
        ),
        (
            FORECAST,
            f"{FORECAST}\n        reset_by: service.ticket.opened",
            23,
            f"{DELIVERY}.reset_by",
            "how probable it is that a promise breaks is known only of a clock that runs through; take this out, or write a",
        ),
        (FORECAST, "{}", 22, f"{DELIVERY}.at_risk.probability", "this field is missing; add it"),
        (FORECAST, "soon", 22, f"{DELIVERY}.at_risk", "write a share such as 75% or 0.75, not 'soon'"),
        (
            "probability: 50%",
            "probability: 0",
            22,
            f"{DELIVERY}.at_risk.probability",
            "this has to be greater than 0",
        ),
        (
            "segment: data.carrier, otherwise",
            "segment: identities.parcel, otherwise",
            22,
            f"{DELIVERY}.at_risk.segment",
            "the identifier kind 'parcel' is not declared; ",
        ),
    ],
)
def test_a_mistake_is_named_with_line_field_and_remedy(
    map_file: Path, old: str, new: str, line: int, field: str, message: str
) -> None:
    assert old in GOOD
    [(at, place, said)] = problems(map_file, GOOD.replace(old, new, 1))
    assert (at, place) == (line, field)
    assert said.startswith(message), said
