"""Settings: read once, from the environment (`THROUGHLINE_…`) over a TOML file over the defaults below.

The file is the one that `THROUGHLINE_CONFIG` names, else `throughline.toml` in the working folder if it is there.
Each default says why it is what it is. docs/settings.md has them as a table; a test holds the two together.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, StringConstraints, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from pipeline.engine.clients import admin_options, confluent_options
from pipeline.errors import ThroughlineError
from pipeline.topology import DOMAINS, Topology

DEVELOPMENT_KEY = "throughline-development-key"
PREFIX = "THROUGHLINE_"
NAME_PATTERN = "[a-z][a-z0-9-]{0,40}"
"""Of a pipeline. Without `_`: Kafka may take it for a dot, ClickHouse has it for `-`, and names must not meet."""
_CONFIG = "THROUGHLINE_CONFIG"
_DEFAULT_FILE = "throughline.toml"
_PATIENCE_MS = 5_000


class SettingsProblemError(ThroughlineError):
    """A setting that can't be used; the message names each one, where it can be set, and what is wrong with it."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

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
    clickhouse_user: str = Field(default="default", description="ClickHouse's own default user.")
    clickhouse_password: SecretStr = Field(
        default=SecretStr(""), description="Empty: the embedded warehouse listens on loopback alone."
    )
    clickhouse_secure: bool = Field(default=False, description="TLS to ClickHouse; its port is then another.")
    clickhouse_ca: Path | None = Field(default=None, description="CA bundle, when `clickhouse_secure`.")
    metrics_host: str = Field(
        default="127.0.0.1", description="Loopback: metrics are nobody else's unless you say so."
    )
    metrics_port: int = Field(
        default=19100,
        ge=0,
        le=65535,
        description="First worker's: /metrics, /livez and /readyz; 0 turns them off.",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto",
        description="Of a worker's log: a JSON object a line, or text; auto: text on a terminal, JSON elsewhere.",
    )

    # which pipeline
    namespace: Annotated[str, StringConstraints(pattern=rf"^({NAME_PATTERN})?$")] = Field(
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
        min_length=8,
        description="Key of the hash behind person ids and tokens. Set your own, once; changing it changes every person.",
    )
    lateness_seconds: float = Field(
        default=600.0,
        ge=0,
        description="How far behind the newest event of its source a touchpoint may come.",
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
    cache_memory_mb: int = Field(
        default=256,
        ge=1,
        description="Of one worker, all partitions: persons unpacked, 3.5 KB and 1.1 a touchpoint, and identifiers.",
    )
    state_memory_mb: int = Field(
        default=256,
        ge=0,
        description="Of one worker, for the state behind those: 250 bytes each for a million. 0: all in memory.",
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
        default=8000,
        ge=1,
        description="At most, of a fetched partition; a commit costs 4 ms with 1 record, 12 with 2,000, 23 with 10,000.",
    )
    batch_bytes: int = Field(
        default=8 * 1024 * 1024,
        ge=262_144,
        description="Values of a batch at most: about 30,000 messages. A fetch takes a quarter of it, packed.",
    )
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
        """These settings as environment variables: a child process that gets them has the same settings."""
        secrets = {name: value.get_secret_value() for name, value in self if isinstance(value, SecretStr)}
        plain = {**self.model_dump(mode="json", exclude_none=True), **secrets}
        return {
            f"{PREFIX}{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in plain.items()
        }

    @property
    def kafka_client(self) -> dict[str, Any]:
        """Options that every librdkafka client of this pipeline starts from. Raises OptionError."""
        return confluent_options(self.kafka, self.kafka_options)

    @property
    def kafka_admin(self) -> dict[str, Any]:
        """Options of the administration client, impatient with a broker that is not there. Raises OptionError."""
        return {**admin_options(self.kafka, self.kafka_options), "bootstrap_timeout_ms": _PATIENCE_MS}

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
        sources: tuple[Any, ...] = (init_settings, env_settings)
        file = _file()
        if file is not None:
            sources += (TomlConfigSettingsSource(settings_cls, toml_file=file),)
        return sources


def read_settings(**given: Any) -> Settings:
    """The settings of this process; what is `given` goes first. Raises SettingsProblemError naming all that is wrong."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsProblemError("\n".join(map(_problem, error.errors()))) from None
    except SettingsError as error:  # a value that should be JSON and is not
        name = re.search('field "([a-z_]+)"', str(error))
        variable = f"{PREFIX}{name[1].upper()}" if name else "a THROUGHLINE_ variable"
        raise SettingsProblemError(
            f'{variable} is not JSON; write an object of names and texts such as {{"client.id": "throughline"}}'
        ) from None


def _file() -> Path | None:
    """The TOML file, after a look at whether it can be read; None when there is none and none was named."""
    named = os.environ.get(_CONFIG)
    file = Path(named or _DEFAULT_FILE)
    try:
        tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        if named:
            raise SettingsProblemError(
                f"{_CONFIG} names {file}, which does not exist; correct or unset it"
            ) from None
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsProblemError(f"{file} can't be read ({error}); write it as TOML in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsProblemError(
            f'{file} is not TOML: {error}; write a line for each setting, such as kafka = "127.0.0.1:19092"'
        ) from error
    return file


def _problem(error: ErrorDetails) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        near = get_close_matches(name, Settings.model_fields, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else "; docs/settings.md lists them all"
        return f"{os.environ.get(_CONFIG, _DEFAULT_FILE)}: there is no setting {name!r}{meant}"
    shown = "" if name in _SECRET else f"{error['input']!r}, but "
    return f"the setting {name} is {shown}{_right(error)}; set it as {PREFIX}{name.upper()} or in {_DEFAULT_FILE}"


def _right(error: ErrorDetails) -> str:
    """What the value would have to be."""
    if error["type"] == "too_short":
        return f"too short: it has to have at least {error['ctx']['min_length']} characters"
    kind = _KINDS.get(error["type"])
    return f"it has to be {kind}" if kind else error["msg"].replace("Input should be", "it has to be")


_KINDS = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "an object of names and texts",
    "string_pattern_mismatch": "at most 41 lower-case letters, digits and -, first a letter",
}


_SECRET = frozenset(name for name, field in Settings.model_fields.items() if field.annotation is SecretStr)
