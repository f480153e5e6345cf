"""Which map a command takes for the pipeline's, and what is said of a pipeline that is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import Throughline
from small_shop import SmallShop

from pipeline.cli import demo, up, which
from pipeline.cli.which import map_of, own_map
from pipeline.errors import ThroughlineError
from pipeline.settings import Settings, read_settings

COMPANY = Path(__file__).parents[2] / "examples" / "company" / "map.yaml"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of each tree that was to be started: services are up and topics are not yet made, and no further."""
    found: list[Settings] = []

    def tree(settings: Settings, *_: Any, before: Any, **__: Any) -> None:
        before()
        found.append(settings)
        raise ThroughlineError("as far as that")

    for module in (demo, up):
        monkeypatch.setattr(module, "pipeline_tree", tree)
    monkeypatch.setattr(demo, "require_new", lambda *_, **__: None)
    return found


def test_up_runs_a_copy_of_its_map_that_other_commands_find(
    throughline: Throughline, shop: SmallShop, started: list[Settings]
) -> None:
    before = shop.map.read_bytes()
    throughline("up", "--map", shop.map)
    (settings,) = started
    shop.map.write_text("edited meanwhile", "utf-8")
    found = map_of(read_settings())
    assert found == settings.journey_map == own_map(settings)
    assert found.read_bytes() == before


def test_the_map_that_up_runs_comes_before_that_of_the_settings(
    throughline: Throughline, shop: SmallShop, started: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROUGHLINE_JOURNEY_MAP", str(COMPANY))
    assert map_of(read_settings()) == COMPANY
    throughline("up", "--map", shop.map)
    assert map_of(read_settings()) == own_map(read_settings())
    assert map_of(read_settings(namespace="may")) == COMPANY


def test_up_takes_its_own_copy_again(
    throughline: Throughline, shop: SmallShop, started: list[Settings]
) -> None:
    throughline("up", "--map", shop.map)
    throughline("up", "--map", own_map(read_settings()))
    assert len(started) == 2
    assert own_map(read_settings()).read_bytes() == shop.map.read_bytes()


def test_a_demo_keeps_its_map_as_a_replay_does(throughline: Throughline, started: list[Settings]) -> None:
    throughline("demo", "--customers", 1, "--days", 1)
    found = map_of(read_settings(namespace="demo"))
    assert started[0].journey_map == found
    assert found == started[0].home / "replays" / "demo" / "map.yaml"
    assert found.read_bytes() == COMPANY.read_bytes()
    assert map_of(read_settings()) is None


@pytest.mark.parametrize(
    ("namespace", "names", "said"),
    [
        ("dsk", {"desk", "demo"}, "there is no replay named 'dsk'; there are: demo, desk"),
        ("dsk", set(), "there is no replay named 'dsk'; Kafka at k:1 has none"),
        ("", set(), "Kafka at k:1 has no live pipeline yet; start it with `throughline up`"),
        (
            "",
            {"may"},
            (
                "Kafka at k:1 has no live pipeline yet; start it with `throughline up`, or name a replay with --name; "
                "there are: may"
            ),
        ),
    ],
)
def test_a_pipeline_that_is_not_there_is_told_with_those_that_are(
    namespace: str, names: set[str], said: str
) -> None:
    assert str(which._no_pipeline(Settings(namespace=namespace), "Kafka at k:1", names)) == said
