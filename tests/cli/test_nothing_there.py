"""Commands without what they need: services that are not there, ports that are taken, no map."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from command_line import NOWHERE, CommandLine, Done, ended
from embedded_services import free_port
from small_shop import SmallShop, small_shop

NO_KAFKA = (
    f"Kafka at {NOWHERE} can't be used (KafkaTimeoutError: Unable to bootstrap from ['{NOWHERE}']); start it"
)
NO_CLICKHOUSE = (
    f"ClickHouse at {NOWHERE} does not answer (Code: 210. Connection refused ({NOWHERE})); start it with "
    "`throughline up`, or set THROUGHLINE_CLICKHOUSE to where its native protocol listens"
)


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """Every command that needs a service, run side by side where there is none."""
    folder = tmp_path_factory.mktemp("nowhere")
    shop = small_shop(folder / "shop")
    throughline = CommandLine(
        folder, {"kafka": NOWHERE, "clickhouse": NOWHERE, "home": folder / "home", "services": "external"}
    )
    commands = {
        "worker": [],
        "status": [],
        "prepare": [],
        "migrate": [],
        "journey": ["anna"],
        "explain": ["0123456789abcdef"],
        "dlq list": [],
        "dlq show": ["1"],
        "identity unlink": ["customer_id=anna", "customer_id=bert", "--reason", "two"],
        "simulate": ["--send", "--to", folder / "simulated", "--customers", "1"],
        "replay": [*shop.arguments, "--name", "may"],
        "up": ["--map", shop.map],
    }
    changed = folder / "changed.yaml"
    changed.write_text(shop.map.read_text("utf-8").replace("expected: 3d", "expected: 2d"), "utf-8")
    commands["shadow --source clickhouse"] = commands["shadow --source kafka"] = ["--map", changed]
    running = {
        name: throughline.start(*name.split(), *arguments, journey_map=shop.map)
        for name, arguments in commands.items()
    }
    return {name: ended(process) for name, process in running.items()}


@pytest.mark.parametrize("command", ["prepare", "simulate", "replay", "up"])
def test_a_command_without_kafka_says_so(nowhere: dict[str, Done], command: str) -> None:
    assert (nowhere[command].code, nowhere[command].out) == (2, "")
    assert nowhere[command].said.endswith(
        f"error: {NO_KAFKA}, or correct the address and the security options"
    )


@pytest.mark.parametrize(
    "command", ["status", "dlq list", "dlq show", "identity unlink", "shadow --source kafka"]
)
def test_a_question_to_kafka_that_is_not_there_is_told_with_the_remedy(
    nowhere: dict[str, Done], command: str
) -> None:
    assert (nowhere[command].code, nowhere[command].out) == (2, "")
    assert (
        f"asking which pipelines there are: Kafka at {NOWHERE} does not answer as it should"
        in nowhere[command].said
    )
    assert (
        "start it with `throughline up`, or set THROUGHLINE_KAFKA to where it listens"
        in nowhere[command].said
    )


@pytest.mark.parametrize("command", ["migrate", "journey", "explain", "shadow --source clickhouse"])
def test_a_command_without_clickhouse_says_so(nowhere: dict[str, Done], command: str) -> None:
    assert (nowhere[command].code, nowhere[command].out) == (2, "")
    assert nowhere[command].said == f"error: {NO_CLICKHOUSE}"


def test_a_worker_without_kafka_ends_so_that_it_is_started_again(nowhere: dict[str, Done]) -> None:
    assert nowhere["worker"].code == 1
    assert f'"level": "critical", "event": "{NO_KAFKA}' in nowhere["worker"].said


def test_a_simulation_that_cannot_be_sent_writes_nothing(
    nowhere: dict[str, Done], tmp_path_factory: object
) -> None:
    assert "the truth is in" not in nowhere["simulate"].out


@pytest.fixture
def shop(tmp_path: Path) -> SmallShop:
    return small_shop(tmp_path / "shop")


@pytest.fixture
def throughline(tmp_path: Path) -> CommandLine:
    addresses = {"kafka": f"127.0.0.1:{free_port(neighbours=1)}", "clickhouse": f"127.0.0.1:{free_port()}"}
    return CommandLine(tmp_path, {**addresses, "home": tmp_path / "home", "metrics_port": 0})


def test_a_worker_without_a_map_says_where_to_name_one(throughline: CommandLine) -> None:
    done = throughline("worker")
    assert done.code == 2
    said = json.loads(done.err)
    assert said["level"] == "critical"
    assert said["event"] == (
        "no journey map; set THROUGHLINE_JOURNEY_MAP to a YAML file, or start with `up --map MAP`"
    )


def test_up_without_a_map_says_where_to_name_one(throughline: CommandLine) -> None:
    done = throughline("up")
    assert done.code == 2
    assert "give --map MAP or set THROUGHLINE_JOURNEY_MAP; examples/company/map.yaml is one" in done.said


@pytest.mark.parametrize(
    ("setting", "address"), [("kafka", "kafka.example.org:9092"), ("clickhouse", "10.0.0.1:9000")]
)
def test_up_refuses_to_embed_a_service_elsewhere(
    throughline: CommandLine, shop: SmallShop, setting: str, address: str
) -> None:
    done = throughline("up", "--map", shop.map, **{setting: address})
    assert (done.code, done.out) == (2, "")
    assert done.said == (
        f"error: THROUGHLINE_{setting.upper()} is '{address}', but the embedded one listens on 127.0.0.1 and a port "
        "below 65535; set it to one, or set THROUGHLINE_SERVICES=external to use your own Kafka and ClickHouse"
    )


@pytest.mark.parametrize("command", ["up", "replay"])
@pytest.mark.parametrize("service", ["Kafka", "ClickHouse"])
def test_a_port_that_somebody_else_holds_is_told_with_the_setting(
    throughline: CommandLine, shop: SmallShop, command: str, service: str
) -> None:
    arguments = ["--map", shop.map] if command == "up" else [*shop.arguments, "--name", "may"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = throughline(command, *arguments, **{service.lower(): f"127.0.0.1:{port}"})
    assert (done.code, done.out) == (2, "")
    assert f"error: {service} can't listen on 127.0.0.1:{port}: the port is taken by process " in done.said
    assert f"; end that process or change THROUGHLINE_{service.upper()}." in done.said


def test_a_home_that_cannot_be_made_is_named(
    throughline: CommandLine, shop: SmallShop, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file", "utf-8")
    done = throughline("up", "--map", shop.map, home=tmp_path / "taken")
    assert done.code == 2
    assert f"error: {tmp_path / 'taken'}" in done.said
