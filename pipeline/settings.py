"""Settings: read once, from the environment (`THROUGHLINE_…`) over a TOML file over the defaults below.

The file is the one that `THROUGHLINE_CONFIG` names, else `throughline.toml` in the working folder if it is there.
Each default says why it is what it is.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, StringConstraints
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from pipeline.topology import DOMAINS, Topology

DEVELOPMENT_KEY = "throughline-development-key"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="THROUGHLINE_", extra="forbid", frozen=True)

    # where
    home: Path = Field(default=Path(".throughline"), description="Everything the embedded services keep.")
    services: Literal["embedded", "external"] = Field(
        default="embedded", description="Whether `up`, `replay` and `demo` bring Kafka and ClickHouse along."
    )
    kafka: str = Field(
        default="127.0.0.1:19092",
        description="Bootstrap servers. The embedded broker takes this port and the next one.",
    )
    kafka_options: dict[str, str] = Field(
        default_factory=dict,
        description="Passed through to every Kafka client, in librdkafka's names: security.protocol, sasl.mechanism, …",
    )
    clickhouse: str = Field(default="127.0.0.1:19000", description="host:port of the native protocol.")
    clickhouse_user: str = "default"
    clickhouse_password: SecretStr = SecretStr("")
    clickhouse_secure: bool = False
    clickhouse_ca: Path | None = Field(default=None, description="CA bundle, when `clickhouse_secure`.")
    metrics_host: str = Field(
        default="127.0.0.1", description="Loopback: metrics are nobody else's unless you say so."
    )
    metrics_port: int = Field(default=19100, ge=0, le=65535, description="First worker's; 0 turns it off.")

    # which pipeline
    namespace: Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_-]{0,40})?$")] = Field(
        default="", description="Empty for the live pipeline; a replay's name otherwise."
    )
    journey_map: Path | None = Field(default=None, description="The YAML journey map.")
    clock: Literal["live", "replay"] = Field(
        default="live", description="live: a quiet source advances with the wall clock. replay: never."
    )

    # shape
    partitions: int = Field(
        default=4, ge=1, le=1024, description="Of every topic behind ingest: two for each of two workers."
    )
    source_partitions: int = Field(default=1, ge=1, le=1024, description="Of each touchpoints.<domain>.")
    replication: int = Field(
        default=1, ge=1, description="The embedded broker is one node; use 3 on a cluster."
    )

    # meaning
    identity_key: SecretStr = Field(
        default=SecretStr(DEVELOPMENT_KEY),
        description="Key of the hash behind person ids and tokens. Set your own, once; changing it changes every person.",
    )
    lateness_seconds: float = Field(
        default=600.0,
        ge=0,
        description="How far behind the newest event of its source a touchpoint may come.",
    )
    forward_levels: int = Field(
        default=2, ge=1, le=8, description="Longest chain of references: parcel → order → customer is two."
    )
    trail_entries: int = Field(
        default=4096,
        ge=64,
        description="Touchpoints of one person kept for revision; older ones become a summary.",
    )
    duplicate_ids: int = Field(
        default=4096,
        ge=0,
        description="Ids of touchpoints cut from a trail that are still known as duplicates.",
    )
    hot_persons: int = Field(
        default=20_000,
        ge=1,
        description="Persons per partition kept unpacked; an unpacked person takes about 10 KB.",
    )
    max_touchpoint_bytes: int = Field(
        default=262_144,
        ge=1024,
        description="Larger records become dead letters: state values must stay small.",
    )
    dead_letter_window: int = Field(
        default=2000, ge=100, description="Records over which the share is taken."
    )
    dead_letter_max_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="More than this share of bad records stops the worker: a bad deployment.",
    )

    # pace
    batch_records: int = Field(
        default=2000, ge=1, description="A commit costs 4 ms with 1 record, 12 with 2,000."
    )
    batch_bytes: int = Field(default=4 * 1024 * 1024, ge=65536, description="Fetched per partition at most.")
    mark_interval_seconds: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Watermarks per channel and partition: at most one in this time.",
    )
    transaction_timeout_seconds: float = Field(
        default=10.0,
        ge=1,
        description="An open transaction freezes its partitions for every committed reader.",
    )
    drain_seconds: float = Field(
        default=20.0, ge=1, description="How long SIGTERM waits for batches under way."
    )

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for a child process: what differs from the defaults."""
        changed = self.model_dump(mode="json", exclude_defaults=True)
        secrets = {name: value.get_secret_value() for name, value in self if isinstance(value, SecretStr)}
        return {
            f"THROUGHLINE_{name.upper()}": text if isinstance(text, str) else json.dumps(text)
            for name, text in ((name, secrets.get(name, value)) for name, value in changed.items())
        }

    @property
    def kafka_client(self) -> dict[str, str]:
        """Options that every librdkafka client of this pipeline starts from."""
        return {**self.kafka_options, "bootstrap.servers": self.kafka}

    @property
    def topology(self) -> Topology:
        return Topology(
            namespace=self.namespace,
            partitions=self.partitions,
            source_partitions=self.source_partitions,
            replication=self.replication,
            domains=DOMAINS,
        )

    @property
    def database(self) -> str:
        """ClickHouse database of this pipeline."""
        return "throughline" + (f"_{re.sub('[^a-z0-9]', '_', self.namespace)}" if self.namespace else "")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = Path(os.environ.get("THROUGHLINE_CONFIG", "throughline.toml"))
        sources: tuple[Any, ...] = (init_settings, env_settings)
        if file.exists():
            sources += (TomlConfigSettingsSource(settings_cls, toml_file=file),)
        return sources
