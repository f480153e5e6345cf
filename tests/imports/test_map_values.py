"""Value promises in the journey map: units and their conversions, and what is refused by line, field and remedy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import units
from pipeline.core.plan import compile_plan, plan_from
from pipeline.maps import MapError, load_map
from pipeline.units import UnitError, conversion
from schemas.journey_map import JourneyMap

GOOD = """\
version: 1
name: cars
touchpoints:
  marketing.ad.seen: {owner: marketing}
  product.trip.recorded: {owner: product}
  service.call.started: {owner: service}
  service.call.answered: {owner: service}
  sales.car.returned: {owner: sales}
journeys:
  car:
    key: identities.order_id
    promises:
      consumption:
        kind: at_most
        made_by: marketing.ad.seen
        promised: {field: data.claimed, unit: l/100km}
        measure: {field: data.consumption, of: product.trip.recorded, unit: l/km, take: last}
        window: 30d
        closed_by: sales.car.returned
        tolerance: 5%
        exceeds_by: 20%
        per: data.model
        attributes: {campaign: data.campaign}
        owed_by: engines
      answer:
        kind: at_most
        promised: {value: 10 s}
        measure: {from: service.call.started, to: service.call.answered}
        owed_by: service
      cabin:
        kind: range
        promised: {from: 64, to: 71.6, unit: degF}
        measure: {field: data.cabin, of: product.trip.recorded, unit: °C, take: mean}
        window: 1d
        owed_by: engines
      price:
        kind: at_most
        promised: {habit: {last: 5, least: 3}}
        measure: {field: data.price, of: sales.car.returned, unit: EUR}
        owed_by: sales
"""
PLACE = "journeys.car.promises.consumption"


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


def changed(path: Path, *changes: tuple[str, str]) -> tuple[int, str, str]:
    """The one problem of the good map with these replacements."""
    text = GOOD
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (problem,) = problems(path, text)
    return problem


# -- units


@pytest.mark.parametrize(
    ("measured", "promised", "factor", "offset"),
    [
        ("l/km", "l/100km", 100, 0),
        ("l/100km", "l/km", 0.01, 0),
        ("l/100 km", "l/km", 0.01, 0),
        ("degF", "°C", 5 / 9, -160 / 9),
        ("degC", "degF", 1.8, 32),
        ("degC", "kelvin", 1, 273.15),
        ("ms", "s", 0.001, 0),
        ("min", "s", 60, 0),
        ("week", "h", 168, 0),
        ("km/h", "m/s", 1 / 3.6, 0),
        ("mile", "km", 1.609344, 0),
        ("kWh", "J", 3_600_000, 0),
        ("GB", "MB", 1000, 0),
        ("Mbit/s", "kB/s", 125, 0),
        ("%", "count", 0.01, 0),
        ("m²", "cm²", 10_000, 0),
        ("N·m", "J", 1, 0),
        ("EUR", "EUR", 1, 0),
        ("€/kWh", "€/kWh", 1, 0),
    ],
)
def test_a_unit_becomes_another_by_a_factor_and_an_offset(
    measured: str, promised: str, factor: float, offset: float
) -> None:
    found = conversion(measured, promised)
    assert (found.factor, found.offset) == (
        pytest.approx(factor, rel=1e-15),
        pytest.approx(offset, rel=1e-15),
    )


@pytest.mark.parametrize(
    ("measured", "promised", "message"),
    [
        (
            "mpg",
            "l/100km",
            (
                "one of mpg and l/100km grows as the other falls, so that no line leads from one to the other; write "
                "both in one of them"
            ),
        ),
        ("mW", "dBm", "no line leads from mW to dBm; write both in one of them"),
        ("dBm", "mW", "no line leads from dBm to mW; write both in one of them"),
        (
            "km",
            "kg",
            "km and kg do not measure the same; write units of which one can be turned into the other",
        ),
        (
            "m",
            "s",
            (
                "m and s do not measure the same; write units of which one can be turned into the other; `m` is the metre "
                "here, write min for minutes"
            ),
        ),
        (
            "EUR",
            "USD",
            "there is no unit 'EUR' in the table; write one that is, such as s, km or °C, or the same one in both places",
        ),
        (
            "s",
            "€",
            "there is no unit '€' in the table; write one that is, such as s, km or °C, or the same one in both places",
        ),
    ],
)
def test_units_of_which_none_becomes_the_other_are_refused(
    measured: str, promised: str, message: str
) -> None:
    with pytest.raises(UnitError) as caught:
        conversion(measured, promised)
    assert str(caught.value) == message


def test_conversions_are_kept_with_the_map_so_that_a_plan_needs_no_table(map_file: Path) -> None:
    plan = compile_plan(loaded(map_file))
    consumption, answer, cabin, price = plan.journeys[0].values
    assert (consumption.factor, consumption.offset, consumption.unit) == (100, 0, "l/100km")
    assert (answer.scale, answer.unit, answer.promised) == (1e6, "s", (10.0,))
    assert (cabin.factor, cabin.offset, cabin.promised) == (1.8, 32, (64.0, 71.6))
    assert (price.factor, price.unit, price.promised, price.habit, price.least) == (1, "EUR", (), 5, 3)
    assert plan_from(plan.source) == plan
    code = (
        "import sys; from pipeline.core.plan import plan_from; plan_from(sys.stdin.buffer.read()); "
        "assert 'pint' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], input=plan.source, check=True, timeout=60)


def test_a_map_without_value_promises_asks_for_no_units(map_file: Path) -> None:
    plain = loaded(map_file, GOOD[: GOOD.index("    promises:")])
    assert units.resolve(plain) is plain


def test_a_map_whose_units_were_not_resolved_is_not_compiled(map_file: Path) -> None:
    bare = JourneyMap.model_validate(loaded(map_file).model_dump(exclude_unset=True, by_alias=True))
    assert compile_plan(bare)
    dumped = bare.model_dump(exclude_unset=True, by_alias=True)
    for promise in dumped["journeys"]["car"]["promises"].values():
        del promise["resolved"]
    with pytest.raises(ValueError, match="the units of 'consumption' were not resolved; load the map with"):
        compile_plan(JourneyMap.model_validate(dumped))


def test_a_digest_covers_what_a_unit_is_worth(map_file: Path) -> None:
    digest = compile_plan(loaded(map_file)).digest
    assert compile_plan(loaded(map_file, GOOD.replace("unit: l/km", "unit: m²"))).digest != digest


# -- what is refused


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        (
            "{field: data.claimed, unit: l/100km}",
            "{fields: data.claimed}",
            (16, "promised"),
            "what is promised is `field: data.<name>`, `value: <number>`, `from:` and `to:`, or `habit:`; write one of them",
        ),
        (
            "of: product.trip.recorded, unit: l/km, take: last}",
            "count: product.trip.recorded}",
            (17, "measure"),
            "a measure is `field: data.<name>` with `of:`, `from:` and `to:`, or `count:`; write one of them",
        ),
        (
            "field: data.claimed",
            "field: identities.order_id",
            (16, "promised.field"),
            "a figure is read from a touchpoint's data: write data.<name>, not 'identities.order_id'",
        ),
        (
            "take: last}",
            "take: latest}",
            (17, "measure.take"),
            (
                "'latest' is not allowed here (did you mean 'last'?); it has to be 'first', 'last', 'highest', 'lowest', "
                "'mean' or 'sum'"
            ),
        ),
        (
            "{field: data.claimed, unit: l/100km}",
            "{value: six}",
            (16, "promised.value"),
            "write a number, or one with its unit such as `10 s`, not 'six'",
        ),
        (
            "{field: data.claimed, unit: l/100km}",
            "{value: .inf}",
            (16, "promised.value"),
            "write a number, or one with its unit such as `10 s`, not inf",
        ),
        (
            "unit: l/100km}",
            "unit: 'l//km'}",
            (16, "promised.unit"),
            "'l//km' is no unit; write one such as s, km/h, l/100km, °C or EUR",
        ),
        (
            "tolerance: 5%",
            "tolerance: five",
            (20, "tolerance"),
            "write a share such as 75% or 0.75, not 'five'",
        ),
        ("exceeds_by: 20%", "exceeds_by: 0%", (21, "exceeds_by"), "this has to be greater than 0"),
        (
            "window: 30d",
            "window: 30",
            (18, "window"),
            "write a duration as number and unit, such as 30m, 24h or 14d, not 30",
        ),
        (
            "owed_by: engines\n      answer",
            "warn_at: [50%]\n        owed_by: engines\n      answer",
            (24, "warn_at"),
            (
                "there is no field 'warn_at' here; the fields are kind, made_by, promised, measure, window, closed_by, "
                "cancelled_by, tolerance, exceeds_by, per, attributes, owed_by, severity, title, resolved"
            ),
        ),
        (
            "unit: l/km, take",
            "unit: kg, take",
            (16, "promised"),
            "kg and l/100km do not measure the same; write units of which one can be turned into the other",
        ),
        (
            "unit: l/km, take",
            "unit: mpg, take",
            (16, "promised"),
            (
                "one of mpg and l/100km grows as the other falls, so that no line leads from one to the other; write "
                "both in one of them"
            ),
        ),
        (
            ", unit: l/km, take",
            ", take",
            (17, "measure"),
            "the promise is in l/100km; write the measure's `unit` as well",
        ),
        (
            "{field: data.claimed, unit: l/100km}",
            "{field: data.claimed}",
            (16, "promised"),
            "the measure is in l/km; write the promise's `unit` as well",
        ),
        (
            "{field: data.claimed, unit: l/100km}",
            "{value: 6 l/100km, unit: l/100km}",
            (16, "promised.unit"),
            "the figure has its unit beside it already; write it once",
        ),
        (
            "{field: data.claimed, unit: l/100km}",
            "{from: 5, to: 6, unit: l/100km}",
            (16, "promised"),
            "at_most has one figure; write `value:` or `field:`, or the kind range",
        ),
        (
            "of: product.trip.recorded, unit: l/km",
            "of: product.trip.record, unit: l/km",
            (17, "measure.of"),
            (
                "the type 'product.trip.record' is not declared; did you mean 'product.trip.recorded'? Otherwise add it "
                "under touchpoints, with its owner"
            ),
        ),
        (
            "of: product.trip.recorded, unit: l/km",
            "of: [], unit: l/km",
            (17, "measure.of"),
            "a measure without touchpoints finds nothing; name at least one touchpoint type",
        ),
        (
            "per: data.model",
            "per: identities.model",
            (22, "per"),
            (
                "the identifier kind 'model' is not declared; add it under identifiers, or use one of customer_id, email, "
                "phone, device, cookie, order_id, ticket_id, parcel_id, session_id"
            ),
        ),
        (
            "owed_by: engines\n      answer",
            "resolved: {factor: 1}\n        owed_by: engines\n      answer",
            (24, "resolved"),
            "this is looked up whenever the map is loaded; take it out",
        ),
    ],
)
def test_a_mistake_is_named_with_line_field_and_remedy(
    map_file: Path, old: str, new: str, place: tuple[int, str], message: str
) -> None:
    line, field = place
    assert changed(map_file, (old, new)) == (line, f"{PLACE}.{field}", message)


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        (
            "{value: 10 s}",
            "{value: 10}",
            "answer.promised",
            "a duration is measured, so that a unit of time is needed; write `unit: s`, or `10 s`",
        ),
        (
            "{value: 10 s}",
            "{value: 10 km}",
            "answer.promised",
            "km and s do not measure the same; write units of which one can be turned into the other",
        ),
        (
            "{value: 10 s}",
            "{value: -1, unit: s}",
            "answer.promised",
            "no duration is below zero; write a greater figure",
        ),
        (
            "{from: service.call.started, to: service.call.answered}",
            "{count: service.call.started}\n        window: 1d",
            "answer.promised",
            "touchpoints are counted, which has no unit; take it out",
        ),
        (
            "{from: 64, to: 71.6, unit: degF}",
            "{value: 64, unit: degF}",
            "cabin.promised",
            "a range lies between two figures; write `from:` and `to:`",
        ),
        (
            "{from: 64, to: 71.6, unit: degF}",
            "{from: 74, to: 71.6, unit: degF}",
            "cabin.promised.to",
            "the range ends before it begins, at 74; swap the two",
        ),
        (
            "{from: 64, to: 71.6, unit: degF}",
            "{from: 64 degF, to: 22 °C}",
            "cabin.promised",
            "the two ends of the range have to have the same unit; write it once, as `unit`",
        ),
        (
            "take: mean}",
            "take: sum}",
            "cabin.measure.take",
            (
                "°C and degF begin at different points, so that their sums have no meaning; take the mean, or the same unit "
                "in both"
            ),
        ),
        (
            "{last: 5, least: 3}",
            "{last: 2, least: 3}",
            "price.promised.habit.least",
            "of the last 2 there are never 3; write at most 2",
        ),
    ],
)
def test_what_does_not_fit_together_is_named_with_field_and_remedy(
    map_file: Path, old: str, new: str, place: str, message: str
) -> None:
    assert changed(map_file, (old, new))[1:] == (f"journeys.car.promises.{place}", message)


@pytest.mark.parametrize("kind", ["at_mots", "[1]", "{}"])
def test_an_unknown_kind_of_promise_is_refused(map_file: Path, kind: str) -> None:
    text = GOOD.replace("kind: range", f"kind: {kind}")
    (problem,) = problems(map_file, text)
    assert problem[1:] == (
        "journeys.car.promises.cabin",
        "the `kind` of a promise is deadline, at_most, at_least, equals or range; write one of them",
    )


def test_what_nothing_completes_is_refused_unless_it_completes_itself(map_file: Path) -> None:
    message = "nothing says when the figure is complete; say it in `window` or `closed_by`, or give the journey an `end`"
    problem = changed(map_file, ("        window: 1d\n", ""))
    assert problem == (33, "journeys.car.promises.cabin.measure", message)
    ends = ("    key: identities.order_id\n", "    key: identities.order_id\n    end: sales.car.returned\n")
    assert loaded(map_file, GOOD.replace("        window: 1d\n", "").replace(*ends))


@pytest.mark.parametrize("kind", ["equals", "range"])
def test_nothing_is_better_than_equal_or_within(map_file: Path, kind: str) -> None:
    promised = (
        ("{from: 64, to: 71.6, unit: degF}", "{value: 64, unit: degF}") if kind == "equals" else ("", "")
    )
    changes = [
        ("kind: range", f"kind: {kind}"),
        ("window: 1d", "window: 1d\n        exceeds_by: 5%"),
        promised,
    ]
    problem = changed(map_file, *[change for change in changes if change[0]])
    message = f"nothing is better than what {kind} promises; take it out, or promise at_most or at_least"
    assert problem[1:] == ("journeys.car.promises.cabin.exceeds_by", message)


def test_a_standing_promise_that_is_cancelled_as_it_begins_is_refused(map_file: Path) -> None:
    started = "{from: service.call.started, to: service.call.answered}"
    problem = changed(map_file, (started, f"{started}\n        cancelled_by: service.call.started"))
    assert problem[1:] == (
        "journeys.car.promises.answer.cancelled_by",
        (
            "'service.call.started' both begins the standing promise and cancels it at once; take it out of one of them, or "
            "tell the two apart with `where`"
        ),
    )


def test_mistakes_of_units_and_of_fields_are_told_at_once(map_file: Path) -> None:
    text = GOOD.replace("unit: l/km", "unit: kg").replace("{value: 10 s}", "{value: ten}")
    assert [field for _, field, _ in problems(map_file, text)] == [
        f"{PLACE}.promised",
        "journeys.car.promises.answer.promised.value",
    ]
