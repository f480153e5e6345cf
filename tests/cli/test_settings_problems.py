"""A setting that can't be used: named with its value, what would be right, and where to set it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Throughline

PROBLEMS = {
    ("THROUGHLINE_PARTITIONS", "many"): (
        "the setting partitions is 'many', but it has to be a whole number; "
        "set it as THROUGHLINE_PARTITIONS or in throughline.toml"
    ),
    (
        "THROUGHLINE_PARTITIONS",
        "0",
    ): "the setting partitions is '0', but it has to be greater than or equal to 1; set it as",
    (
        "THROUGHLINE_LATENESS_SECONDS",
        "soon",
    ): "the setting lateness_seconds is 'soon', but it has to be a number; set it as",
    ("THROUGHLINE_CLICKHOUSE_SECURE", "perhaps"): "'perhaps', but it has to be true or false; set it as",
    (
        "THROUGHLINE_CLOCK",
        "wall",
    ): "the setting clock is 'wall', but it has to be 'live' or 'replay'; set it as",
    (
        "THROUGHLINE_NAMESPACE",
        "a_b",
    ): "the setting namespace is 'a_b', but it has to be at most 41 lower-case letters",
    (
        "THROUGHLINE_KAFKA_OPTIONS",
        "[1]",
    ): "it has to be an object of names and texts; set it as THROUGHLINE_KAFKA_OPTIONS",
    (
        "THROUGHLINE_KAFKA_OPTIONS",
        "acks=1",
    ): "THROUGHLINE_KAFKA_OPTIONS is not JSON; write an object of names and texts",
    (
        "THROUGHLINE_KAFKA_OPTIONS",
        '{"sasl": "x"}',
    ): "the Kafka option 'sasl' is not supported; use one of client.id, ",
    (
        "THROUGHLINE_CLICKHOUSE",
        "nowhere",
    ): "THROUGHLINE_CLICKHOUSE is 'nowhere'; write host:port of ClickHouse's",
    (
        "THROUGHLINE_CONFIG",
        "gone.toml",
    ): "THROUGHLINE_CONFIG names gone.toml, which does not exist; correct or unset it",
}


@pytest.mark.parametrize("setting", PROBLEMS, ids="=".join)
def test_a_setting_that_cannot_be_used_is_told(
    throughline: Throughline, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]
) -> None:
    monkeypatch.setenv(*setting)
    done = throughline("dlq", "list") if "KAFKA" in setting[0] else throughline("journey", "anna")
    assert (done.code, done.out) == (2, "")
    assert PROBLEMS[setting] in done.said


def test_a_secret_that_cannot_be_used_is_not_shown(
    throughline: Throughline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROUGHLINE_IDENTITY_KEY", "hunter2")
    done = throughline("status")
    assert done.code == 2
    assert (
        "the setting identity_key is too short: it has to have at least 8 characters; set it as" in done.said
    )
    assert "hunter2" not in done.said


def test_all_that_is_wrong_in_a_file_is_told_at_once(throughline: Throughline, home: Path) -> None:
    (home / "throughline.toml").write_text('kafkaa = "x"\npartitions = "many"\nspeed = 3\n', "utf-8")
    done = throughline("status")
    assert done.code == 2
    assert "throughline.toml: there is no setting 'kafkaa'; did you mean 'kafka'?" in done.said
    assert "throughline.toml: there is no setting 'speed'; docs/settings.md lists them all" in done.said
    assert "the setting partitions is 'many', but it has to be a whole number" in done.said


def test_a_file_that_is_not_toml_is_told_with_the_line(
    throughline: Throughline, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "mine.toml").write_text('home = "x"\nkafka: 127.0.0.1\n', "utf-8")
    monkeypatch.setenv("THROUGHLINE_CONFIG", "mine.toml")
    done = throughline("status")
    assert done.code == 2
    assert "mine.toml is not TOML: " in done.said
    assert "(at line 2, column 6); write a line for each setting, such as kafka = " in done.said


def test_a_folder_in_place_of_the_file_is_told(throughline: Throughline, home: Path) -> None:
    (home / "throughline.toml").mkdir()
    done = throughline("status")
    assert done.code == 2
    assert "throughline.toml can't be read (" in done.said
