"""The composed system: what it refers to is there, and what it sets is a setting. No container engine runs here."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.engine import worker
from pipeline.settings import PREFIX, Settings
from pipeline.topology import MAX_LETTER_BYTES

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"^[a-z0-9./-]+:v?\d+(\.\d+)+(-[a-z0-9.]+)?$")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    return loaded


def settings_in(env_file: Path) -> dict[str, str]:
    lines = [line for line in env_file.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="module")
def worker_env() -> dict[str, str]:
    return settings_in(ROOT / "deploy" / "worker.env")


def test_docker_compose_accepts_the_file() -> None:
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("not run: docker-compose is not installed")
    done = subprocess.run(
        [command, "config", "--quiet"], check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_image_is_pinned_to_a_version(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert PINNED.match(service["image"]), f"{name}: {service['image']}"


def test_the_image_of_the_workers_has_the_version_of_the_project(compose: dict[str, Any]) -> None:
    version = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version is not None
    assert compose["services"]["worker"]["image"] == f"throughline:{version[1]}"


def mounted(compose: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            yield source, target


def test_every_file_and_folder_that_is_mounted_is_there(compose: dict[str, Any]) -> None:
    sources = {source for source, _ in mounted(compose)}
    assert {source for source in sources if not source.startswith("./")} == set(compose["volumes"])
    for source in sources - set(compose["volumes"]):
        assert (ROOT / source).exists(), source


def test_the_build_and_its_environment_are_there(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker"]
    assert (ROOT / worker["build"]["dockerfile"]).is_file()
    assert (ROOT / worker["env_file"]).is_file()


def test_every_variable_of_the_workers_is_a_setting_with_a_good_value(
    worker_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert set(worker_env) <= known
    for name, value in worker_env.items():
        monkeypatch.setenv(name, value)
    Settings()


def test_the_workers_reach_the_services_by_their_names_and_ports(
    compose: dict[str, Any], worker_env: dict[str, str]
) -> None:
    kafka, clickhouse = (
        compose["services"]["kafka"]["environment"],
        compose["services"]["clickhouse"]["environment"],
    )
    assert kafka["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{worker_env['THROUGHLINE_KAFKA']}"
    assert worker_env["THROUGHLINE_CLICKHOUSE"].split(":")[0] in compose["services"]
    assert clickhouse["CLICKHOUSE_PASSWORD"] == worker_env["THROUGHLINE_CLICKHOUSE_PASSWORD"]
    assert (
        compose["services"]["grafana"]["environment"]["CLICKHOUSE_PASSWORD"]
        == clickhouse["CLICKHOUSE_PASSWORD"]
    )


def test_the_map_of_the_workers_is_mounted_where_they_look_for_it(
    compose: dict[str, Any], worker_env: dict[str, str]
) -> None:
    targets = {target: source for source, target in mounted(compose)}
    assert (ROOT / targets[worker_env["THROUGHLINE_JOURNEY_MAP"]]).name == "map.yaml"


def test_the_broker_takes_the_largest_dead_letter_and_makes_no_topic_by_itself(
    compose: dict[str, Any],
) -> None:
    kafka = compose["services"]["kafka"]["environment"]
    assert int(kafka["KAFKA_MESSAGE_MAX_BYTES"]) >= MAX_LETTER_BYTES
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_prometheus_asks_the_workers_where_they_answer(
    compose: dict[str, Any], worker_env: dict[str, str]
) -> None:
    prometheus = YAML(typ="safe").load(ROOT / "deploy" / "prometheus" / "prometheus.yml")
    (asked,) = [each for job in prometheus["scrape_configs"] for each in job["dns_sd_configs"]]
    assert asked["names"] == ["worker"]
    assert asked["port"] == Settings.model_fields["metrics_port"].default
    assert worker_env["THROUGHLINE_METRICS_HOST"] == "0.0.0.0"
    assert f"EXPOSE {asked['port']}" in (ROOT / "deploy" / "Dockerfile").read_text("utf-8")


def test_the_workers_health_is_whether_they_are_alive_and_not_whether_they_are_ready(
    compose: dict[str, Any],
) -> None:
    """Whoever acts on it ends the container, which a worker that recovers does not deserve."""
    asked = " ".join(compose["services"]["worker"]["healthcheck"]["test"])
    port = Settings.model_fields["metrics_port"].default
    assert f"http://127.0.0.1:{port}/livez" in asked


def test_prometheus_finds_its_rules(compose: dict[str, Any]) -> None:
    folder = dict(mounted(compose))["./deploy/prometheus"]
    assert folder == "/etc/prometheus"
    prometheus = YAML(typ="safe").load(ROOT / "deploy" / "prometheus" / "prometheus.yml")
    for file in prometheus["rule_files"]:
        rules = YAML(typ="safe").load(ROOT / "deploy" / "prometheus" / file)
        assert all(rule["expr"] for group in rules["groups"] for rule in group["rules"])


def test_only_what_people_look_at_is_published_and_only_on_loopback(compose: dict[str, Any]) -> None:
    published = {
        name: service["ports"] for name, service in compose["services"].items() if "ports" in service
    }
    assert set(published) == {"prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_a_worker_has_longer_to_stop_than_it_needs(compose: dict[str, Any]) -> None:
    grace = int(compose["services"]["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.model_fields["drain_seconds"].default + worker._STOP_SECONDS


def test_the_image_has_every_package_that_is_installed() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    packages = re.search(r"include = \[([^\]]+)\]", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert packages is not None
    for package in re.findall(r'"([a-z]+)\*"', packages[1]):
        assert f"COPY {package} ./{package}" in dockerfile


def test_a_workers_state_is_in_a_volume_of_the_image() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    home = re.search(r"THROUGHLINE_HOME=(\S+)", dockerfile)
    assert home is not None
    assert f"VOLUME {home[1]}\n" in dockerfile
