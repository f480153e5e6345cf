"""What was learned of others, as an explanation tells it: findings as they were published, explained as the command does."""

from __future__ import annotations

from typing import Any

import msgspec
from journey_world import DELIVERED, PLACED, SHIPPED, Story
from learned_world import FORECAST, LEARNED, PROMISE, STAGE, limit, passed, shop

from pipeline.cli.explain_text import lines_of
from pipeline.core.instants import DAY, micros
from pipeline.core.messages import Entry, Limit
from pipeline.operations.explanation import Explanation, explain
from pipeline.warehouse.explained import Published, Revision, Said


class Told(Story):
    """A story that keeps its touchpoints, as the warehouse does."""

    def __init__(self, journey_map: dict[str, Any]) -> None:
        super().__init__(journey_map)
        self.entries: list[Entry] = []

    def touchpoint(self, *said: Any) -> Any:
        made = super().touchpoint(*said)
        self.entries.append(made.entry)
        return made

    def explained(self, rule_name: str) -> tuple[Explanation, str]:
        """Why the last finding of a rule says what it says, and the words for it."""
        told = [finding for finding in self.findings if finding.rule == rule_name]
        said = msgspec.json.decode(told[-1].model_dump_json(), type=Said)
        [rules] = self.plan.journeys
        [rule] = [each for each in (*rules.promises, *rules.stages) if each.name == rule_name]
        [opening] = [each for each in self.entries if f"{each.source}#{each.id}" == said.evidence[0]]
        found = explain(
            rules, rule, self.entries, opening, micros(said.detected_at), said.detail.decided_by_others
        )
        assert found is not None
        revisions = [Revision(each.revision, each.status, each.detected_at) for each in told]
        return found, "\n".join(map(str, lines_of(Published("f" * 32, said, revisions), found)))


def stuck(**stage: Any) -> Told:
    """A parcel sent by bike on 1 March; what was learned by then of bikes is two days, of all four."""
    story = Told(shop(**stage))
    story.learns("2026-03-01 00:00", STAGE, {None: limit(4, ended=1_234), "bike": limit(2)})
    story.happens("2026-03-01 09:00", SHIPPED, carrier="bike", name="s1")
    return story


def test_a_learned_limit_is_told_with_what_it_rests_on_and_how_sure_it_is() -> None:
    story = stuck()
    story.until("2026-03-03 10:00")
    found, text = story.explained("in_transit")
    assert found.status == "opened"
    assert (
        text
        == f"""\
stage in_transit of order 7: opened
  finding {"f" * 32}, person {story.person()}

The rule
  longer than 2 d is a stall; owned by logistics
  this was learned: 2 times the 1 d that 90% of stays do not outlast
  with 95% confidence it is from 1 d 23 h to 2 d 2 h
  going by 60 stays of bike that had ended, and those that went on, as of 2026-02-28 00:00

What happened
  2026-03-01 09:00  entered      fulfilment.parcel.shipped  shop#s1

What the clock did
  2026-03-01 09:00 to 2026-03-03 10:00  ran for 2 d 1 h

The conclusion
  by 2026-03-03 10:00 it had run for 2 d 1 h, more than the 2 d that it has
  the limit was reached at 2026-03-03 09:00
  nothing has settled it, and time has come to 2026-03-03 10:00: opened

What was said when
  revision 0: opened, when time had come to 2026-03-03 10:00"""
    )


def test_what_ended_too_late_for_a_learned_limit_is_told_by_how_much() -> None:
    story = stuck()
    story.happens("2026-03-04 09:30", DELIVERED)
    story.until("2026-03-05 00:00")
    found, text = story.explained("in_transit")
    assert found.status == "resolved"
    assert "settled at 2026-03-04 09:30, 1 d 30 min late: resolved" in text
    assert "was published" not in text


def test_a_limit_of_all_stays_whose_upper_bound_nobody_knows_says_so() -> None:
    story = Told(shop(learned={**LEARNED, "times": 1}))
    unsure = Limit(1_234, 4 * DAY, 3 * DAY, None)
    story.learns("2026-03-01 00:00", STAGE, {None: unsure})
    story.happens("2026-03-01 09:00", SHIPPED, carrier="ship")
    story.until("2026-03-06 00:00")
    _, text = story.explained("in_transit")
    assert (
        """\
  longer than 4 d is a stall; owned by logistics
  this was learned: the 4 d that 90% of stays do not outlast
  with 95% confidence it is more than 3 d
  going by 1,234 stays that had ended, and those that went on, as of 2026-02-28 00:00
"""
        in text
    )


def test_no_calendar_counts_what_was_learned() -> None:
    office = {"zone": "UTC", "hours": {"mon-fri": ["09:00-17:00"]}}
    journey_map = shop(expected="40h", calendar="office")
    journey_map["calendars"] = {"office": office}
    story = Told(journey_map)
    story.learns("2026-03-01 00:00", STAGE, {None: limit(2)})
    story.happens("2026-03-01 09:00", SHIPPED)  # a Sunday
    story.until("2026-03-04 09:00")
    found, text = story.explained("in_transit")
    assert "longer than 2 d is a stall" in text
    assert [each.kind for each in found.segments] == ["ran"]
    assert (found.status, "closed" in text) == ("opened", False)


def test_a_declared_limit_that_fired_is_told_as_the_maps_though_another_was_learned() -> None:
    story = stuck(expected="1d")
    story.until("2026-03-03 10:00")
    found, text = story.explained("in_transit")
    assert found.status == "opened"
    assert "longer than 1 d is a stall; owned by logistics\n\nWhat happened" in text


def test_a_stall_that_was_taken_back_has_no_limit_any_more() -> None:
    story = stuck(expected=None)
    story.until("2026-03-03 10:00")
    story.learns("2026-03-01 00:00", STAGE, {None: None, "bike": None})
    story.batch()
    found, text = story.explained("in_transit")
    assert found.status == "withdrawn"
    assert "stage in_transit of order 7: withdrawn" in text
    assert "  a stall is what lasts longer than was learned, and nothing was; owned by logistics" in text
    assert "  it has no limit\n" in text


def test_a_forecast_is_told_with_what_became_of_earlier_ones() -> None:
    story = Told(shop(at_risk=FORECAST))
    story.learns("2026-03-01 00:00", PROMISE, {None: passed(d1=20, d2=60, d4=80, d9=95)})
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-06 09:00")
    story.until("2026-03-03 10:00")
    found, text = story.explained("delivery")
    assert found.status == "at_risk"
    assert (
        """\
The rule
  due at the instant in data.due of the touchpoint that made it; owed by logistics
  at risk from 2026-03-03 09:00 on: of earlier ones that took so long, 50% took longer than to the due time
  when it was made, it was 20% probable that it breaks
  going by 200 promises that had ended, and those that went on, as of 2026-02-28 00:00
"""
        in text
    )
    assert "nothing has settled it, and time has come to 2026-03-03 10:00: at_risk" in text


def test_without_a_forecast_the_share_of_the_way_is_told() -> None:
    story = Told(shop(at_risk={**FORECAST, "otherwise": 0.6}))
    story.happens("2026-03-01 09:00", PLACED, due="2026-03-06 09:00")
    story.until("2026-03-04 10:00")
    found, text = story.explained("delivery")
    assert found.status == "at_risk"
    assert "  at risk from 60% of the way on\n" in text
    assert "probable" not in text
