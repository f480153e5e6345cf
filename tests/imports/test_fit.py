"""A map and a mapping are checked against each other: what one says and the other never hears of is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.imports.fit import misfits
from pipeline.imports.mapping import load_mapping
from pipeline.maps import load_map_with_places

EXAMPLES = Path(__file__).parents[2] / "examples"

MAP = """\
version: 1
name: shop
identifiers:
  customer_id: {kind: personal, strength: 900}
  ticket_id: {kind: reference, strength: 500}
touchpoints:
  service.ticket.opened: {owner: help desk}
  service.ticket.answered: {owner: help desk}
  service.ticket.closed: {owner: help desk}
  billing.refund.paid: {owner: payments}
  billing.refund.asked: {owner: payments}
  survey.ticket.rated: {owner: help desk}
journeys:
  ticket:
    key: identities.ticket_id
    promises:
      answer:
        made_by: {type: service.ticket.opened, where: {data.urgent: true}}
        due: {field: data.answer_by}
        met_by: service.ticket.answered
        owed_by: help desk
        attributes: {channel: data.channel}
      score:
        kind: at_least
        promised: {value: 4}
        measure: {of: survey.ticket.rated, field: data.score}
        window: 7d
        owed_by: help desk
    stages:
      waiting:
        enter: service.ticket.opened
        leave: [service.ticket.answered, service.ticket.closed]
        expected: 3d
        owner: help desk
"""
MAPPING = """\
version: 1
name: shop
tables:
  tickets:
    file: tickets.csv
    events:
      opened:
        type: service.ticket.opened
        time: opened
        identities: {ticket_id: ticket, customer_id: customer}
        data:
          urgent: {column: urgent, type: bool}
          answer_by: {column: answer_by, type: instant}
          channel: channel
      answered:
        type: service.ticket.answered
        time: answered
        identities: {ticket_id: ticket}
      rated:
        type: survey.ticket.rated
        time: rated
        identities: {ticket_id: ticket}
        data:
          score: {column: score, type: int}
"""


def told(
    folder: Path,
    in_map: dict[str, str] | None = None,
    in_mapping: dict[str, str] | None = None,
    journey_map: str = MAP,
) -> list[str]:
    """The warnings, with the files' names alone, after some texts of either were replaced."""
    files = {"map.yaml": journey_map, "mapping.yaml": MAPPING}
    for name, changes in (("map.yaml", in_map), ("mapping.yaml", in_mapping)):
        for right, other in (changes or {}).items():
            assert right in files[name]
            files[name] = files[name].replace(right, other)
        (folder / name).write_text(files[name], "utf-8")
    found = misfits(*load_map_with_places(folder / "map.yaml"), load_mapping(folder / "mapping.yaml"))
    return [str(problem).removeprefix(f"{folder}/") for problem in found]


def test_a_map_and_a_mapping_that_fit_are_silent(tmp_path: Path) -> None:
    assert told(tmp_path) == []


@pytest.mark.parametrize("name", ["olist", "loans", "city_requests"])
def test_the_examples_fit(name: str) -> None:
    folder = EXAMPLES / name
    assert misfits(*load_map_with_places(folder / "map.yaml"), load_mapping(folder / "mapping.yaml")) == []


def test_a_misspelt_type_is_told_once_with_what_was_meant(tmp_path: Path) -> None:
    """And not again for the promise that now is never met, nor for the fields of the rightly spelt type."""
    assert told(tmp_path, in_mapping={"type: service.ticket.answered": "type: service.ticket.anwsered"}) == [
        (
            "mapping.yaml:16: tables.tickets.events.answered.type: map.yaml does not declare 'service.ticket.anwsered' "
            "(did you mean 'service.ticket.answered'?); it will count as unmapped"
        )
    ]


def test_a_type_of_another_domain_is_taken_for_the_same(tmp_path: Path) -> None:
    [problem] = told(tmp_path, in_mapping={"survey.ticket.rated": "service.ticket.rated"})
    assert "(did you mean 'survey.ticket.rated'?)" in problem


def test_types_that_may_well_be_unmapped_are_told_in_one_line_without_a_guess(tmp_path: Path) -> None:
    """`reopened` is another verb and not a misspelling: the type like it is fed as well."""
    values = (
        "{column: kind, values: {a: service.ticket.opened, b: service.ticket.reopened, c: sales.item.sold}}"
    )
    assert told(tmp_path, in_mapping={"type: service.ticket.opened": f"type: {values}"}) == [
        (
            "mapping.yaml:8: tables.tickets.events.opened.type.values.b: map.yaml does not declare "
            "'service.ticket.reopened', 'sales.item.sold'; such touchpoints will count as unmapped"
        )
    ]


def test_a_type_of_columns_feeds_whatever_it_may_become(tmp_path: Path) -> None:
    assert (
        told(tmp_path, in_mapping={"type: service.ticket.answered": 'type: "service.ticket.{verb|slug}"'})
        == []
    )


def test_a_type_of_columns_that_can_become_none_of_the_map_is_told(tmp_path: Path) -> None:
    first, *_ = told(tmp_path, in_mapping={"type: survey.ticket.rated": 'type: "survey.call.{verb|slug}"'})
    assert "map.yaml does not declare 'survey.call.{verb|slug}'" in first


def test_words_on_identifiers_count_without_being_declared(tmp_path: Path) -> None:
    word = "service.identity.imported"
    problems = told(tmp_path, in_mapping={"type: survey.ticket.rated": f"type: {word}"})
    assert not any(word in problem for problem in problems)


def test_an_identifier_kind_that_the_map_lacks_is_told(tmp_path: Path) -> None:
    assert told(tmp_path, in_mapping={"customer_id: customer": "custmer_id: customer"}) == [
        (
            "mapping.yaml:10: tables.tickets.events.opened.identities.custmer_id: map.yaml declares no identifier kind "
            "'custmer_id' (did you mean 'customer_id'?); it does not say whose a touchpoint is"
        )
    ]


def test_an_event_without_any_kind_of_the_map_is_told_to_be_refused(tmp_path: Path) -> None:
    first, *_ = told(tmp_path, in_mapping={"identities: {ticket_id: ticket}": "identities: {ticket: ticket}"})
    assert first == (
        "mapping.yaml:18: tables.tickets.events.answered.identities.ticket: map.yaml declares no identifier kind "
        "'ticket' (did you mean 'ticket_id'?); as the event has none of customer_id, ticket_id, its touchpoints will "
        "be refused (and so in 1 more event)"
    )


def test_a_field_that_no_event_gives_is_told_where_a_rule_asks_for_it(tmp_path: Path) -> None:
    assert told(tmp_path, in_map={"data.answer_by": "data.anwser_by"}) == [
        (
            "map.yaml:19: journeys.ticket.promises.answer.due.field: no event of mapping.yaml that makes "
            "'service.ticket.opened' gives data.anwser_by (did you mean 'data.answer_by'?); they promise nothing"
        )
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "place", "consequence"),
    [
        (
            "data.urgent",
            "data.urgnt",
            "promises.answer.made_by.0.where.data.urgnt",
            "the condition never holds",
        ),
        ("data.channel", "data.chanel", "promises.answer.attributes.channel", "it is always empty"),
        ("data.score", "data.scor", "promises.score.measure.field", "they measure nothing"),
        (
            "met_by: s",
            "per: data.urgen\n        met_by: s",
            "promises.answer.per",
            "they concern every promise",
        ),
        (
            "expected: 3d",
            "expected: {field: data.chanel, values: {web: 1d}}",
            "stages.waiting.expected.field",
            "`otherwise` always holds",
        ),
        (
            "expected: 3d",
            "learned: {segment: data.chanel}",
            "stages.waiting.learned.segment",
            "it is always empty",
        ),
    ],
)
def test_fields_of_every_kind_of_rule_are_looked_at(
    tmp_path: Path, right: str, wrong: str, place: str, consequence: str
) -> None:
    [problem] = told(tmp_path, in_map={right: wrong})
    # a form that the file writes shorter is named as it stands there
    assert place.replace("made_by.0", "made_by") in problem
    assert "(did you mean 'data." in problem
    assert consequence in problem


def test_a_field_that_several_rules_ask_for_is_told_once(tmp_path: Path) -> None:
    [problem] = told(
        tmp_path,
        in_mapping={"channel: channel": "chanel: channel"},
        in_map={"expected: 3d": "expected: {field: data.channel, values: {web: 1d}}"},
    )
    assert problem.endswith(
        "(did you mean 'data.chanel'?); `otherwise` always holds (and so in 1 more place)"
    )


def test_a_key_that_events_of_a_journey_lack_is_told_with_their_types(tmp_path: Path) -> None:
    changes = {"identities: {ticket_id: ticket}": "identities: {customer_id: customer}"}
    assert told(tmp_path, in_mapping=changes) == [
        (
            "map.yaml:15: journeys.ticket.key: no event of mapping.yaml that makes 'service.ticket.answered', "
            "'survey.ticket.rated' gives identities.ticket_id (did you mean 'identities.customer_id'?); they are in no such "
            "journey"
        )
    ]


def test_a_rule_that_begins_and_whose_end_never_comes_is_told(tmp_path: Path) -> None:
    changes = {"type: service.ticket.answered": "type: billing.refund.paid"}
    assert told(tmp_path, in_mapping=changes) == [
        (
            "map.yaml:20: journeys.ticket.promises.answer.met_by: no event of mapping.yaml makes "
            "'service.ticket.answered'; the promise is never met"
        ),
        (
            "map.yaml:32: journeys.ticket.stages.waiting.leave: no event of mapping.yaml makes "
            "'service.ticket.answered', 'service.ticket.closed'; whoever enters the stage stays in it"
        ),
    ]


def test_one_way_out_of_several_is_enough(tmp_path: Path) -> None:
    changes = {"met_by: service.ticket.answered": "met_by: [service.ticket.closed, service.ticket.answered]"}
    assert told(tmp_path, in_map=changes) == []


def test_a_clock_that_is_paused_and_never_resumed_is_told(tmp_path: Path) -> None:
    paused = (
        "due: {within: 4h}\n        paused_by: survey.ticket.rated\n        resumed_by: billing.refund.paid"
    )
    [problem] = told(tmp_path, in_map={"due: {field: data.answer_by}": paused})
    assert problem.startswith("map.yaml:21: journeys.ticket.promises.answer.resumed_by: no event")
    assert problem.endswith("a clock that was paused once never runs again")


def test_a_duration_that_never_ends_is_told(tmp_path: Path) -> None:
    measure = "{from: service.ticket.opened, to: billing.refund.paid}"
    changes = {"{of: survey.ticket.rated, field: data.score}": measure, "{value: 4}": '{value: "4 h"}'}
    [problem] = told(tmp_path, in_map=changes)
    assert ".promises.score.measure.to: " in problem
    assert problem.endswith("no duration ever ends")


def test_a_map_of_which_little_is_fed_makes_one_line(tmp_path: Path) -> None:
    refund = """\
      refund_{n}:
        made_by: billing.refund.asked
        due: {{within: 4h}}
        met_by: billing.refund.paid
        owed_by: payments
        attributes: {{region: data.region}}
"""
    many = "    promises:\n" + "".join(refund.format(n=n) for n in range(30))
    assert told(tmp_path, in_map={"    promises:\n": many}) == [
        (
            "map.yaml:17: journeys.ticket.promises.refund_0: it waits for what no event of mapping.yaml makes, as do 29 "
            "more of the 33 promises and stages: 'billing.refund.asked'"
        )
    ]


@pytest.mark.parametrize("optional", ["cancelled_by: billing.refund.paid", "reset_by: billing.refund.paid"])
def test_what_need_not_come_is_not_missed(tmp_path: Path, optional: str) -> None:
    due = f"due: {{within: 4h}}\n        {optional}"
    assert told(tmp_path, in_map={"due: {field: data.answer_by}": due}) == []


def test_a_touchpoint_for_every_promise_may_lack_the_field_that_tells_them_apart(tmp_path: Path) -> None:
    assert told(tmp_path, in_map={"met_by: s": "per: data.urgent\n        met_by: s"}) == []


def test_text_where_a_condition_asks_for_a_truth_value_is_told(tmp_path: Path) -> None:
    assert told(tmp_path, in_mapping={"{column: urgent, type: bool}": "urgent"}) == [
        (
            "map.yaml:18: journeys.ticket.promises.answer.made_by.where.data.urgent: data.urgent of 'service.ticket.opened' "
            "is text in mapping.yaml, not true or false; the condition never holds: give it `type: bool` there"
        )
    ]


def test_text_where_a_figure_is_measured_is_told(tmp_path: Path) -> None:
    [problem] = told(tmp_path, in_mapping={"{column: score, type: int}": "score"})
    assert problem.endswith(
        "is text in mapping.yaml, not a number; they measure nothing: give it `type: float` there"
    )


@pytest.mark.parametrize(
    "value",
    [
        "{column: urgent, values: {j: true, n: false}}",
        "{constant: true}",
        "{column: urgent, values: {j: true}, otherwise: unknown}",
    ],
)
def test_a_value_that_may_be_what_is_asked_for_is_none_to_speak_of(tmp_path: Path, value: str) -> None:
    assert told(tmp_path, in_mapping={"{column: urgent, type: bool}": value}) == []


def test_what_a_table_with_types_of_its_own_holds_is_not_known(tmp_path: Path) -> None:
    changes = {"{column: urgent, type: bool}": "urgent", "tickets.csv": "tickets.jsonl"}
    assert told(tmp_path, in_mapping=changes) == []
