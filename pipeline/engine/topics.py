"""Topics declared, created and verified before anything starts; never auto-created.

In: declarations (`TopicSpec`) and kafka-python's connection options (`clients.admin_options`). Out: topics
that are as declared, or a typed error with the remedy. What exists is never altered: a difference is a
decision.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    KafkaError,
    KafkaTimeoutError,
    NonEmptyGroupError,
    TopicAlreadyExistsError,
    for_code,
)

from pipeline.engine.errors import (
    BrokerUnavailableError,
    GroupBusyError,
    TopicMismatchError,
    TopicMissingError,
)
from pipeline.engine.topic_spec import TopicSpec

Answer = TypeVar("Answer")
_TIMEOUT_MS: Final = 20_000
_UNKNOWN_TOPIC: Final = 3


def ensure_topics(options: Mapping[str, Any], specs: Sequence[TopicSpec]) -> list[str]:
    """Create what is missing, verify what exists; returns the names of the created.

    Raises TopicMismatchError, or BrokerUnavailableError.
    """
    with _admin(options) as admin:
        existing = _describe(admin, [spec.name for spec in specs])
        _verify(admin, [spec for spec in specs if spec.name in existing], existing)
        missing = [spec for spec in specs if spec.name not in existing]
        if missing:
            _create(admin, missing)
        return [spec.name for spec in missing]


def require_topics(options: Mapping[str, Any], specs: Sequence[TopicSpec]) -> None:
    """What a worker asks before it starts. Raises TopicMissingError, TopicMismatchError or
    BrokerUnavailableError.
    """
    with _admin(options) as admin:
        existing = _describe(admin, [spec.name for spec in specs])
        missing = [spec.name for spec in specs if spec.name not in existing]
        if missing:
            raise TopicMissingError(
                f"{_count(missing)} missing in Kafka ({', '.join(missing)}); "
                "run `throughline prepare` (or `throughline up`)"
            )
        _verify(admin, specs, existing)


def topic_ids(options: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The broker's identity of each topic that exists; a topic that is made anew gets another one."""
    with _admin(options) as admin:
        return {name: str(topic["topic_id"]) for name, topic in _describe(admin, names).items()}


def delete_topics(options: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Delete those of the topics that exist and wait until they are gone; returns their names."""
    with _admin(options) as admin:
        existing = sorted(_describe(admin, names))
        if existing:
            admin.delete_topics(existing, timeout_ms=_TIMEOUT_MS)
            _await_gone(admin, existing)
        return existing


def existing_topics(options: Mapping[str, Any]) -> set[str]:
    """The names of all topics."""
    with _admin(options) as admin:
        return set(admin.list_topics())


def delete_groups(options: Mapping[str, Any], groups: Sequence[str]) -> None:
    """Delete those of the consumer groups that exist. Raises GroupBusyError while one has members."""
    with _admin(options) as admin:
        known = _patiently(admin.list_groups)
        found = sorted(set(groups) & {group["group_id"] for group in known})
        for group, outcome in admin.delete_groups(found).items() if found else ():
            if outcome == NonEmptyGroupError.__name__:
                raise GroupBusyError(
                    f"workers of {group!r} are still running; stop them, or wait ten seconds if they were killed"
                )
            if outcome not in ("OK", GroupIdNotFoundError.__name__):
                raise BrokerUnavailableError(f"the group {group!r} could not be deleted: {outcome}")


def _patiently(ask: Callable[[], Answer]) -> Answer:
    """Ask a broker that may just have started: what its groups live in is loaded a moment later."""
    limit = time.monotonic() + _TIMEOUT_MS / 1000
    while True:
        try:
            return ask()
        except (CoordinatorLoadInProgressError, CoordinatorNotAvailableError):
            if time.monotonic() > limit:
                raise
            time.sleep(0.1)


@contextmanager
def _admin(options: Mapping[str, Any]) -> Iterator[KafkaAdminClient]:
    limits = {"request_timeout_ms": _TIMEOUT_MS, "bootstrap_timeout_ms": _TIMEOUT_MS}
    address = ",".join(options["bootstrap_servers"])
    try:
        admin = KafkaAdminClient(**{**limits, **options})
        try:
            yield admin
        finally:
            admin.close()
    except KafkaError as error:
        raise BrokerUnavailableError(
            f"Kafka at {address} can't be used ({error}); start it, or correct the "
            "address and the security options"
        ) from error


def _describe(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The topics that exist, by name."""
    if not names:
        return {}
    topics = {}
    for topic in admin.describe_topics(list(names)):
        if topic["error_code"] == 0:
            topics[topic["name"]] = topic
        elif topic["error_code"] != _UNKNOWN_TOPIC:
            raise for_code(topic["error_code"])(f"topic {topic['name']}")
    return topics


def _create(admin: KafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    wanted = {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication,
            "configs": spec.config,
        }
        for spec in specs
    }
    with suppress(TopicAlreadyExistsError):  # someone else was quicker; verified below like all that exists
        admin.create_topics(wanted, timeout_ms=_TIMEOUT_MS)
    names = [spec.name for spec in specs]
    admin.wait_for_topics(names, timeout_ms=_TIMEOUT_MS)
    _verify(admin, specs, _describe(admin, names))


def _verify(
    admin: KafkaAdminClient, specs: Sequence[TopicSpec], existing: Mapping[str, dict[str, Any]]
) -> None:
    for spec in specs:
        found = len(existing[spec.name]["partitions"])
        if found != spec.partitions:
            raise TopicMismatchError(
                f"the topic {spec.name!r} has {found} partitions, declared are {spec.partitions}, and a key "
                f"that changes its partition loses its state; set the number to {found}, or start "
                "the pipeline under a new name"
            )
    described = [spec for spec in specs if spec.config]
    if described:
        configs = _configs(admin, [spec.name for spec in described])
        for spec in described:
            _verify_config(spec, configs[spec.name])


def _verify_config(spec: TopicSpec, found: Mapping[str, str]) -> None:
    for name, value in spec.config.items():
        if found.get(name) != value:
            raise TopicMismatchError(
                f"the topic {spec.name!r} has {name}={found.get(name)}, declared is {value}; set it with "
                f"`kafka-configs.sh --alter --topic {spec.name} --add-config {name}={value}`"
            )


def _configs(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    described = admin.describe_configs(resources, config_filter="all")
    return {
        name: {option: entry["value"] for option, entry in described["topic"][name].items()} for name in names
    }


def _await_gone(admin: KafkaAdminClient, names: Sequence[str]) -> None:
    deadline = time.monotonic() + _TIMEOUT_MS / 1000
    while _describe(admin, names):
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"topics still there: {', '.join(names)}")
        time.sleep(0.1)


def _count(names: Sequence[str]) -> str:
    return "1 topic is" if len(names) == 1 else f"{len(names)} topics are"
