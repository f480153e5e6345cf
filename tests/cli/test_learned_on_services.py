"""A replay in which a limit and a forecast are learned: it sums up as a run does, and its findings are explained."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from command_line import CommandLine, Replayed
from small_shop import MAP, small_shop

pytestmark = pytest.mark.services

LEARNING = MAP.replace(
    "        expected: 3d\n", "        learned: {quantile: 90%, times: 2, least: 10}\n"
).replace(
    "        owed_by: carriers\n",
    """\
        owed_by: carriers
        at_risk: {probability: 50%, least: 10}
      one_delivery:
        kind: at_most
        promised: {value: 1}
        made_by: sales.order.placed
        measure: {count: fulfilment.order.delivered}
        window: 5d
        owed_by: carriers
""",
)
ORDERS = "\n".join(
    [
        "order,customer,placed,promised,delivered",
        *(f"o-{n},c-{n},2018-05-01 10:00:00,2018-05-20 00:00:00,2018-05-02 10:00:00" for n in range(12)),
        "o-stuck,cleo,2018-05-07 12:00:00,2018-05-20 00:00:00,",
        "o-last,dora,2018-05-12 12:00:00,2018-05-20 00:00:00,2018-05-12 18:00:00",
        "",
    ]
)


@pytest.fixture(scope="module")
def learned(kafka: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """Twelve orders took a day each; then Cleo's, which is not delivered, and one more by which time goes on."""
    folder = tmp_path_factory.mktemp("learned")
    shop = small_shop(folder / "shop")
    shop.map.write_text(LEARNING, "utf-8")
    (shop.data / "orders.csv").write_text(ORDERS, "utf-8")
    addresses = {"home": folder / "home", "kafka": kafka, "clickhouse": clickhouse, "metrics_port": 0}
    throughline = CommandLine(folder, addresses)
    name = f"learned-{uuid.uuid4().hex[:8]}"
    done = throughline("replay", *shop.arguments, "--name", name, "--workers", 1, "--json")
    assert done.code == 0, done.err
    return Replayed(name, json.loads(done.out), shop, throughline)


def test_a_replay_counts_what_was_learned_and_figures_as_a_run_does(learned: Replayed) -> None:
    summary = learned.summary
    assert summary["stalls"] == {
        "on_its_way": {"opened": 1, "resolved": 0, "open": 1, "declared": 0, "learned": 1}
    }
    assert summary["value_promises"] == {
        "one_delivery": {
            "made": 14, "kept": 13, "exceeded": 0, "broken": 0, "lapsed": 0, "cancelled": 0, "open": 1
        }
    }  # fmt: skip
    run = learned.throughline("run", *learned.shop.arguments, "--json")
    assert json.loads(run.out) == summary


def finding_of(learned: Replayed, shown_as: str) -> str:
    """The finding that Cleo's time line shows so."""
    shown = learned.throughline("journey", "cleo", "--name", learned.name).out
    [finding] = re.findall(rf"{shown_as}.*\n.*\(([0-9a-f]{{8}})\)", shown)
    return str(finding)


def test_a_stall_by_a_learned_limit_is_explained(learned: Replayed) -> None:
    done = learned.throughline("explain", finding_of(learned, "stuck in on_its_way"), "--name", learned.name)
    assert done.code == 0, done.err
    # a day is counted in steps of 2 %
    assert re.search(
        r"longer than (2 d \d+ min \d+ s) is a stall; owned by carriers\n"
        r"  this was learned: 2 times the 1 d \d+ min \d+ s that 90% of stays do not outlast\n"
        r"  with 95% confidence it is from \1 to \1\n"
        r"  going by 12 stays that had ended, and those that went on, as of 2018-05-06 00:00\n",
        done.out,
    )
    assert "ran for 5 d 6 h" in done.out
    assert done.out.rstrip().endswith("revision 0: opened, when time had come to 2018-05-12 18:00")


def test_a_promised_figure_is_on_the_time_line_and_its_finding_is_explained(learned: Replayed) -> None:
    shown = learned.throughline("journey", "c-3", "--name", learned.name).out
    [(finding, observed)] = re.findall(
        r"^2018-05-02 10:00:00  promise one_delivery: kept, as promised +carriers\n"
        r" +made 2018-05-01 10:00:00 by sales.order.placed \(([0-9a-f]{8})\)\n +(.*)$",
        shown,
        re.MULTILINE,
    )
    assert observed.rstrip() == "at most 1, observed 1 (count of 1)"
    done = learned.throughline("explain", finding, "--name", learned.name)
    assert done.code == 0, done.err
    assert done.out.startswith("promise one_delivery of order o-3: kept")


def test_a_promise_with_a_forecast_is_explained(learned: Replayed) -> None:
    done = learned.throughline(
        "explain", finding_of(learned, "promise delivery: open, at risk"), "--name", learned.name
    )
    assert done.code == 0, done.err
    assert re.search(
        r"at risk from 2018-05-08 12:\d\d:\d\d on: of earlier ones that took so long, 50%", done.out
    )
    assert "when it was made, it was 0% probable that it breaks" in done.out
    assert "going by 12 promises that had ended, and those that went on, as of 2018-05-06 00:00" in done.out
    assert "nothing has settled it, and time has come to 2018-05-12 18:00: at_risk" in done.out
