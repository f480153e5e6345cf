"""Settings: environment over file over defaults, handed on to child processes whole, and described in the docs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.settings import DEVELOPMENT_KEY, Settings, SettingsProblemError, read_settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("THROUGHLINE_")]:
        monkeypatch.delenv(name)


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "throughline.toml").write_text(
        'partitions = 8\nlateness_seconds = 30\n[kafka_options]\n"client.id" = "shop"\n', "utf-8"
    )
    monkeypatch.setenv("THROUGHLINE_PARTITIONS", "16")
    settings = read_settings(drain_seconds=5)
    assert (settings.partitions, settings.lateness_seconds, settings.drain_seconds) == (16, 30, 5)
    assert settings.kafka_options == {"client.id": "shop"}
    assert settings.batch_records == Settings.model_fields["batch_records"].default


def test_a_named_file_takes_the_place_of_the_one_in_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "throughline.toml").write_text("partitions = 8\n", "utf-8")
    (tmp_path / "other.toml").write_text("partitions = 2\n", "utf-8")
    monkeypatch.setenv("THROUGHLINE_CONFIG", str(tmp_path / "other.toml"))
    assert read_settings().partitions == 2


def test_a_name_in_the_environment_that_is_no_setting_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THROUGHLINE_DATA", "/data")
    monkeypatch.setenv("THROUGHLINE_PARTITION", "8")
    assert read_settings() == Settings()


def test_a_name_in_the_file_that_is_no_setting_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "throughline.toml").write_text("partition = 8\n", "utf-8")
    with pytest.raises(
        SettingsProblemError, match=r"throughline.toml: there is no setting 'partition'; did you mean"
    ):
        read_settings()


SOME: dict[str, Any] = {
    "home": Path("/srv/throughline"),
    "kafka_options": {"security.protocol": "SASL_SSL", "sasl.password": 'a "quoted" one'},
    "clickhouse_password": "seïcret",
    "identity_key": "another-key-of-ours",
    "clickhouse_secure": True,
    "clickhouse_ca": Path("/etc/ca.pem"),
    "namespace": "may",
    "clock": "replay",
    "metrics_port": 0,
    "lateness_seconds": 0.5,
    "dead_letter_max_share": 1,
}


@pytest.mark.parametrize("given", [{}, SOME], ids=["defaults", "everything else"])
def test_a_child_process_gets_the_same_settings_whatever_its_own_environment_and_file_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, Any]
) -> None:
    ours = Settings(**given)
    (tmp_path / "throughline.toml").write_text(
        'partitions = 99\nclock = "replay"\nnamespace = "june"\n', "utf-8"
    )
    monkeypatch.setenv("THROUGHLINE_BATCH_RECORDS", "7")
    for name, value in ours.environment().items():
        monkeypatch.setenv(name, value)
    assert read_settings() == ours


def test_a_secret_is_not_shown() -> None:
    settings = Settings(clickhouse_password="hunter2", identity_key="hunter2hunter2")
    assert "hunter2" not in f"{settings!r} {settings}"


def test_the_clients_get_the_same_connection() -> None:
    settings = Settings(kafka="a:1,b:2", kafka_options={"client.id": "shop"})
    assert settings.kafka_client == {"bootstrap.servers": "a:1,b:2", "client.id": "shop", "log_level": 3}
    admin = settings.kafka_admin
    assert (admin["bootstrap_servers"], admin["client_id"]) == (["a:1", "b:2"], "shop")


@pytest.mark.parametrize(
    ("namespace", "database"),
    [("", "throughline"), ("may", "throughline_may"), ("may-2", "throughline_may_2")],
)
def test_a_pipeline_has_a_database_of_its_own(namespace: str, database: str) -> None:
    assert Settings(namespace=namespace).database == database


@pytest.mark.parametrize("namespace", ["May", "a_b", "a.b", "1a", "-a", "a b", "x" * 42])
def test_a_name_that_kafka_or_clickhouse_could_confuse_is_refused(namespace: str) -> None:
    with pytest.raises(SettingsProblemError, match="at most 41 lower-case letters, digits and -"):
        read_settings(namespace=namespace)


def shown(name: str) -> str:
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    if name == "identity_key":
        assert default.get_secret_value() == DEVELOPMENT_KEY
        return "(development key)"
    if default is None or default == "" or name == "clickhouse_password":
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_page_has_every_setting_with_its_default_and_what_it_is() -> None:
    table = [
        f"| `THROUGHLINE_{name.upper()}` | {shown(name)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    found = [line for line in PAGE.read_text("utf-8").splitlines() if re.match(r"\| `THROUGHLINE_", line)]
    assert found == table


def test_every_setting_says_what_it_is_or_why_its_default_is_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith((".", "…")), name
