"""Calendars in the journey map: what is looked up as it loads, and what is refused by line, field and remedy."""

from __future__ import annotations

import struct
import zoneinfo
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.core.plan import compile_plan, plan_from
from pipeline.maps import MapError, load_map
from schemas.journey_map import JourneyMap

GOOD = """\
version: 1
name: shop
touchpoints:
  sales.order.placed: {owner: sales}
  service.call.answered: {owner: service}
calendars:
  office:
    zone: Europe/Berlin
    hours:
      mon-fri: ["09:00-12:30", "13:30-18:00"]
      sat: ["10:00-14:00"]
    holidays:
      country: DE
      subdivision: BY
      dates:
        2026-12-24: ["09:00-12:00"]
        12-31: closed
journeys:
  order:
    key: identities.order_id
    stages:
      waiting:
        enter: sales.order.placed
        leave: service.call.answered
        expected: 4h
        calendar: office
        owner: service
    promises:
      callback:
        made_by: sales.order.placed
        due:
          within: 8h
          calendar: office
        met_by: service.call.answered
        owed_by: service
      visit:
        made_by: sales.order.placed
        due: {end_of: 2 business days, calendar: office, at: "17:00"}
        met_by: service.call.answered
        owed_by: service
"""
CALENDAR, STAGE, CALLBACK = (
    "calendars.office",
    "journeys.order.stages.waiting",
    "journeys.order.promises.callback",
)


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


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "message"),
    [
        (
            "zone: Europe/Berlin",
            "zone: Europe/Berln",
            8,
            f"{CALENDAR}.zone",
            "there is no zone 'Europe/Berln'; did you mean 'Europe/Berlin'? Otherwise write one of IANA's",
        ),
        ("country: DE", "country: XX", 13, f"{CALENDAR}.holidays.country", "no holidays are known of 'XX'; "),
        (
            "subdivision: BY",
            "subdivision: BX",
            14,
            f"{CALENDAR}.holidays.subdivision",
            "DE has no subdivision 'BX'; write one of BB, BE, ",
        ),
        (
            "      country: DE\n",
            "",
            13,
            f"{CALENDAR}.holidays.subdivision",
            "a subdivision says nothing without its country; add such as country: DE",
        ),
        (
            '"13:30-18:00"',
            '"12:00-18:00"',
            10,
            f"{CALENDAR}.hours.mon-fri",
            "09:00-12:30 and 12:00-18:00 overlap; write hours that lie one after another",
        ),
        ('"13:30-18:00"', '"13:30-13:30"', 10, f"{CALENDAR}.hours.mon-fri", "'13:30-13:30' lasts no time; "),
        (
            '"13:30-18:00"',
            '"22:00-06:00"',
            10,
            f"{CALENDAR}.hours.mon-fri",
            "'22:00-06:00' closes before it opens; over midnight, write 22:00-24:00 on the one day and 00:00-06:00 on the",
        ),
        (
            '"13:30-18:00"',
            '"1:30 pm"',
            10,
            f"{CALENDAR}.hours.mon-fri",
            "write hours as opening-closing, such as 09:00-12:30, not '1:30 pm'",
        ),
        (
            '["10:00-14:00"]',
            "[]",
            11,
            f"{CALENDAR}.hours.sat",
            "hours without a span open nothing; leave the day out",
        ),
        (
            "sat: [",
            "fri-sat: [",
            11,
            f"{CALENDAR}.hours.fri-sat",
            "fri has hours in 'mon-fri' already; name each day once, with all its hours",
        ),
        (
            "sat: [",
            "sad: [",
            11,
            f"{CALENDAR}.hours.sad",
            "write a day (sat), days (mon-fri) or daily, not 'sad'",
        ),
        (
            "mon-fri: [",
            "fri-mon: [",
            10,
            f"{CALENDAR}.hours.fri-mon",
            "'fri-mon' ends before it begins; a week begins",
        ),
        (
            "2026-12-24: [",
            "2026-13-24: [",
            16,
            f"{CALENDAR}.holidays.dates.2026-13-24",
            "write a date as 2026-12-24, or as 12-24 for every year, not '2026-13-24'",
        ),
        (
            "2026-12-24: [",
            "2126-12-24: [",
            16,
            f"{CALENDAR}.holidays.dates.2126-12-24",
            "2126-12-24 lies outside the years 1970 to 2069 of every calendar; take it out",
        ),
        (
            "12-31: closed",
            "12-31: shut",
            17,
            f"{CALENDAR}.holidays.dates.12-31",
            """write closed, or hours such as ["09:00-12:00"], not 'shut'""",
        ),
        (
            "        calendar: office\n        owner",
            "        calendar: {field: data.land, values: {DE: office, AT: ofice}, otherwise: office}\n        owner",
            26,
            f"{STAGE}.calendar.values.AT",
            "the calendar 'ofice' is not declared; did you mean 'office'? Otherwise add it under calendars",
        ),
        (
            "        calendar: office\n        owner",
            "        calendar: {field: identities.land, values: {DE: office}, otherwise: office}\n        owner",
            26,
            f"{STAGE}.calendar.field",
            "the identifier kind 'land' is not declared",
        ),
        (
            "        calendar: office\n        owner",
            "        calendar: [office]\n        owner",
            26,
            f"{STAGE}.calendar",
            "name a calendar, or choose one by a field: {field: …, values: {…}, otherwise: …}",
        ),
        (
            "        calendar: office\n        owner",
            "        calendar: office\n        escalate: [{after: 1d, to: head}]\n        owner",
            27,
            f"{STAGE}.escalate.0.after",
            "'1d' on a calendar may mean business days, or 24 open hours for each day; write open hours, such as 16h",
        ),
        (
            "        calendar: office\n        owner",
            "        calendar: office\n        abandoned_after: 2w\n        owner",
            27,
            f"{STAGE}.abandoned_after",
            "'2w' on a calendar may mean business days, or 24 open hours for each day; write open hours, such as 16h",
        ),
        (
            "        calendar: office\n        owner",
            "        calendar: ofice\n        owner",
            26,
            f"{STAGE}.calendar",
            "the calendar 'ofice' is not declared; did you mean 'office'? Otherwise add it under calendars",
        ),
        (
            "        expected: 4h\n",
            "",
            25,
            f"{STAGE}.calendar",
            "without `expected` the stage has no limit that a calendar could count; add it, or take the calendar out",
        ),
        (
            "expected: 4h",
            "expected: 2d",
            25,
            f"{STAGE}.expected",
            "'2d' on a calendar may mean business days, or 24 open hours for each day; write open hours, such as 16h",
        ),
        (
            "within: 8h",
            "within: 1d 4h",
            32,
            f"{CALLBACK}.due.within",
            "'1d 4h' on a calendar may mean business days, or 24 open hours for each day; write `end_of: 2 business days`",
        ),
        (
            "within: 8h",
            "within: 24000h",
            32,
            f"{CALLBACK}.due.within",
            "the calendar 'office' is open 44 h a week, so that this takes more than ten years; write a shorter",
        ),
        (
            "end_of: 2 business days",
            "end_of: two days",
            38,
            "journeys.order.promises.visit.due.end_of",
            "write day, next_business_day or such as 3 business days, not 'two days'",
        ),
        (
            'at: "17:00"',
            "at: 5pm",
            38,
            "journeys.order.promises.visit.due.at",
            "write a time of day in 24 hours and minutes, such as 09:30 or 24:00, not '5pm'",
        ),
    ],
)
def test_a_mistake_is_named_with_line_field_and_remedy(
    map_file: Path, old: str, new: str, line: int, field: str, message: str
) -> None:
    assert GOOD.count(old) == 1
    [(at, place, said)] = problems(map_file, GOOD.replace(old, new))
    assert (at, place) == (line, field)
    assert said.startswith(message), said


def test_a_calendar_without_hours_is_never_open(map_file: Path) -> None:
    begin, end = GOOD.index("    hours:"), GOOD.index("    holidays:")
    text = GOOD[:begin] + "    hours: {}\n" + GOOD[end:]
    found = problems(map_file, text)
    assert found[0][:2] == (9, f"{CALENDAR}.hours")
    assert found[0][2].startswith("a calendar without hours is never open; write such as mon-fri")


def test_what_is_looked_up_is_not_written_by_hand(map_file: Path) -> None:
    text = GOOD.replace("    hours:\n", "    resolved: {offsets: [[0, 0]], holidays: []}\n    hours:\n")
    [(line, field, message)] = problems(map_file, text)
    assert (line, field) == (9, f"{CALENDAR}.resolved")
    assert message == "this is looked up whenever the map is loaded; take it out"


def test_all_mistakes_are_told_at_once(map_file: Path) -> None:
    text = GOOD.replace("Europe/Berlin", "Berlin").replace("within: 8h", "within: 1w").replace("DE", "D")
    text = text.replace(
        "met_by: service.call.answered\n        owed_by: service\n      visit", "owed_by: x\n      visit"
    )
    fields = [field for _, field, _ in problems(map_file, text)]
    assert fields == [
        f"{CALENDAR}.zone",
        f"{CALENDAR}.holidays.country",
        f"{CALLBACK}.met_by",
        f"{CALLBACK}.due.within",
    ]


def test_a_loaded_map_keeps_what_was_looked_up_and_a_plan_comes_back_from_it_without_the_world(
    map_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = compile_plan(loaded(map_file))
    monkeypatch.setattr("pipeline.calendars._zones", frozenset)
    monkeypatch.setattr("pipeline.calendars._countries", dict)
    again = plan_from(plan.source)
    assert again == plan
    assert again.digest == plan.digest


def test_zones_are_the_packages_and_not_the_machines(map_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = compile_plan(loaded(map_file)).digest
    machine = map_file.parent / "zones" / "Europe"
    machine.mkdir(parents=True)
    (machine / "Berlin").write_bytes((files("tzdata") / "zoneinfo" / "Asia" / "Tokyo").read_bytes())
    from pipeline import calendars

    calendars._offsets.cache_clear()
    zoneinfo.reset_tzpath([str(machine.parent)])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        assert zoneinfo.ZoneInfo("Europe/Berlin").key == "Europe/Berlin"
        assert compile_plan(loaded(map_file)).digest == expected
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.parametrize(
    ("old", "new", "decides"),
    [
        ("zone: Europe/Berlin", "zone: Europe/Madrid", True),
        ("subdivision: BY", "subdivision: BE", True),
        ('"10:00-14:00"', '"10:00-14:01"', True),
        ('at: "17:00"', 'at: "17:01"', True),
        ("end_of: 2 business days", "end_of: day", True),
        ("12-31: closed", "2026-12-31: closed", True),
        ("    zone: Europe/Berlin", "    title: Our office\n    zone: Europe/Berlin", False),
        ("2 business days", "2 business day", False),
        ('["10:00-14:00"]', '["12:00-14:00", "10:00-12:00"]', False),
    ],
)
def test_the_digest_of_a_plan_covers_what_its_calendars_decide(
    map_file: Path, old: str, new: str, decides: bool
) -> None:
    digest = compile_plan(loaded(map_file)).digest
    assert GOOD.count(old) == 1
    assert (compile_plan(loaded(map_file, GOOD.replace(old, new))).digest != digest) is decides


def test_a_map_that_was_not_loaded_is_not_compiled() -> None:
    hours = {"daily": ["00:00-24:00"]}
    unresolved = JourneyMap.model_validate(
        {
            "name": "x",
            "touchpoints": {},
            "journeys": {},
            "calendars": {"office": {"zone": "UTC", "hours": hours}},
        }
    )
    with pytest.raises(ValueError, match=r"the calendar 'office' was not resolved; load the map with"):
        compile_plan(unresolved)


def test_no_zone_has_changed_its_clock_twice_within_a_day() -> None:
    """What the search for a zone's changes relies on, read from the zones' own files."""
    for key in (files("tzdata") / "zones").read_text("ascii").split():
        times = [time for time in _transitions((files("tzdata") / "zoneinfo" / key).read_bytes()) if time > 0]
        assert all(later - earlier > 86400 for earlier, later in pairwise(times)), key


def _transitions(content: bytes) -> tuple[int, ...]:
    """The seconds at which a file of RFC 8536 says that local time changes, from its 64-bit part."""
    skipped = 0
    while True:
        counts = struct.unpack(">6l", content[skipped + 20 : skipped + 44])
        utc, standard, leaps, times, types, letters = counts
        if skipped:
            return struct.unpack(f">{times}q", content[skipped + 44 : skipped + 44 + 8 * times])
        skipped = 44 + times * 5 + types * 6 + letters + leaps * 8 + standard + utc
