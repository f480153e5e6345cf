"""Apache Kafka itself, as a child process: one KRaft node (broker and controller) on loopback.

A folder goes in, a broker that answers comes out. Topics, groups and offsets stay in the folder between runs.
Everything in it was written by this service: a folder of another cluster is refused, never reformatted.
"""

from __future__ import annotations

import socket
import struct
import subprocess
from pathlib import Path
from typing import ClassVar, Final

from pipeline.embedded import jars
from pipeline.embedded.errors import FolderUnusableError, StartFailedError
from pipeline.embedded.java import find_java, java_version
from pipeline.embedded.ports import LOOPBACK, require_free
from pipeline.embedded.service import Service

CLUSTER_ID: Final = "VGhyb3VnaGxpbmUtMDAwMQ"  # "Throughline-0001": 16 bytes, as Kafka wants them
MAX_MESSAGE_BYTES: Final = (
    16 * 1024 * 1024
)  # a dead letter holds a whole record of up to 12 MB, and its headers
_FORMAT_SECONDS: Final = 60.0
_SPECIAL: Final = frozenset(",\\")  # of Java's property files, and of a list of folders

_PROPERTIES = """\
# Written at every start; change pipeline/embedded/kafka.py instead.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}

# topics are declared in one place; a misspelt name must be an error
auto.create.topics.enable=false
default.replication.factor=1
unclean.leader.election.enable=false

message.max.bytes={max_bytes}
replica.fetch.max.bytes={max_bytes}
socket.request.max.bytes={max_request}

# one node: one copy of everything; few partitions, since each is a file to open and a log to load
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
offsets.topic.segment.bytes=16777216
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.state.log.segment.bytes=16777216
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1

# one worker need not wait for others, and an owner that died is noticed soon
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000

# a broker that was killed may register again after this time
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=500

# two cores are shared with the workers
num.network.threads=2
num.io.threads=2
log.cleaner.threads=1
num.recovery.threads.per.data.dir=2
"""

_LOG4J = """\
<Configuration status="WARN" shutdownHook="disable">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{ISO8601}{UTC}Z %p %m (%c{1})%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
  </Loggers>
</Configuration>
"""


class EmbeddedKafka(Service):
    """The broker on `port`, its data and log in `folder`.

    `heap_mb`: the Java heap. `cache`: where the jars are kept, by default in the user's cache folder.
    """

    name: ClassVar[str] = "Kafka"

    def __init__(
        self,
        folder: Path,
        port: int,
        controller_port: int,
        *,
        heap_mb: int = 512,
        cache: Path | None = None,
        log: Path | None = None,
    ) -> None:
        super().__init__(folder, log)
        self.port = port
        self.controller_port = controller_port
        self.heap_mb = heap_mb
        self.cache = cache or jars.default_cache()

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def is_ready(self) -> bool:
        """Does it answer a metadata request, with itself as a broker?"""
        try:
            return _count_brokers(self.port) > 0
        except (OSError, struct.error):
            return False

    def _prepare(self) -> list[str]:
        if special := sorted(_SPECIAL & set(str(self.folder))):
            raise FolderUnusableError(
                f"Kafka can't use {self.folder}: {' '.join(special)} has a meaning of its own there; "
                "set THROUGHLINE_HOME to another folder."
            )
        setting = "THROUGHLINE_KAFKA"
        require_free(self.port, self.name, setting)
        require_free(self.controller_port, "Kafka's controller", f"{setting}, whose next port it takes")
        java = self._java_command()
        config = self._write_config()
        self._format(java, config)
        return [*java, "kafka.Kafka", str(config)]

    def _java_command(self) -> list[str]:
        java = find_java()
        class_path = ":".join(map(str, jars.ensure(self.cache)))
        log4j = self.folder / "log4j2.xml"
        log4j.write_text(_LOG4J, "utf-8")
        return [
            str(java),
            *_quiet(java_version(java)),
            f"-Xmx{self.heap_mb}m",
            # measured on two cores: 2.6 µs of CPU a record of 232 bytes, 5 with the optimising compiler
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            f"-Dlog4j2.configurationFile={log4j}",
            "-cp",
            class_path,
        ]

    def _write_config(self) -> Path:
        config = self.folder / "server.properties"
        text = _PROPERTIES.format(
            host=LOOPBACK,
            port=self.port,
            controller_port=self.controller_port,
            data=self._data,
            max_bytes=MAX_MESSAGE_BYTES,
            max_request=MAX_MESSAGE_BYTES + 4 * 1024 * 1024,
        )
        config.write_text(text, "utf-8")
        return config

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _format(self, java: list[str], config: Path) -> None:
        """Makes an empty folder this cluster's; requires of any other that it is this cluster's already."""
        meta = self._data / "meta.properties"
        if meta.exists():
            return self._require_ours(meta)
        half_formatted = "bootstrap.checkpoint"
        if self._data.exists() and any(entry.name != half_formatted for entry in self._data.iterdir()):
            raise FolderUnusableError(
                f"{self._data} holds files but no meta.properties, so it is not Throughline's; "
                "move it away or set THROUGHLINE_HOME to another folder."
            )
        tool = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config)]
        done = subprocess.run(  # noqa: S603 - the command is ours
            tool, capture_output=True, text=True, check=False, timeout=_FORMAT_SECONDS
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise StartFailedError(f"Kafka could not format {self._data}: {said}")
        return None

    def _require_ours(self, meta: Path) -> None:
        said = dict(line.split("=", 1) for line in meta.read_text("utf-8").splitlines() if "=" in line)
        wanted = {"version": "1", "cluster.id": CLUSTER_ID, "node.id": "1"}
        for name, value in wanted.items():
            if (found := said.get(name, "nothing")) != value:
                raise FolderUnusableError(
                    f"{meta} says {name}={found} where Throughline's Kafka has {value}: "
                    "it is another's; move it away or set THROUGHLINE_HOME to another folder."
                )


def _quiet(version: int) -> list[str]:
    """Newer Javas warn of what Kafka's jars do; each flag exists from that version on."""
    flags = {22: "--enable-native-access=ALL-UNNAMED", 23: "--sun-misc-unsafe-memory-access=allow"}
    return [flag for since, flag in flags.items() if version >= since]


def _count_brokers(port: int) -> int:
    """Asks for the metadata of no topic (version 1), and returns how many brokers there are."""
    metadata, version, correlation, no_client, no_topics = 3, 1, 1, -1, 0
    request = struct.pack(">hhihi", metadata, version, correlation, no_client, no_topics)
    with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as answer:
            _, correlated, brokers = struct.unpack(">iii", answer.read(12))
    return int(brokers) if correlated == correlation else 0
