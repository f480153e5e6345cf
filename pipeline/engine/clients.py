"""One set of connection options, in librdkafka's names, for three clients.

In: bootstrap servers and options such as `security.protocol` and `sasl.username`. Out: the same connection
in the words of confluent_kafka, kafka-python and Faust (aiokafka). An option that can't mean the same to
all three is refused.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipeline.engine.errors import StopWorker

if TYPE_CHECKING:
    from faust.auth import Credentials

PROTOCOLS: Final = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

_KAFKA_PYTHON: Final = {
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "client.id": "client_id",
}
SUPPORTED: Final = frozenset(
    {
        "security.protocol",
        "sasl.mechanism",
        "sasl.username",
        "sasl.password",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.endpoint.identification.algorithm",
        "client.id",
    }
)
_ALIASES: Final = {"sasl.mechanisms": "sasl.mechanism"}


class OptionError(StopWorker):
    """A Kafka option that is unknown, incomplete or has an impossible value."""


def confluent_options(bootstrap: str, options: Mapping[str, str]) -> dict[str, Any]:
    """For confluent_kafka's Producer, Consumer and AdminClient; librdkafka logs errors only."""
    return {"bootstrap.servers": bootstrap, **_checked(options), "log_level": 3}


def logged(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same options for a client whose log goes where all others go, and not to standard error by itself."""
    return {**options, "logger": logging.getLogger("librdkafka")}


def admin_options(bootstrap: str, options: Mapping[str, str]) -> dict[str, Any]:
    """For kafka-python's clients (`KafkaAdminClient(**…)`, `KafkaConsumer(**…)`)."""
    checked = _checked(options)
    protocol = _protocol(checked)
    said: dict[str, Any] = {
        theirs: checked[ours] for ours, theirs in _KAFKA_PYTHON.items() if ours in checked
    }
    if protocol.startswith("sasl"):
        said["sasl_mechanism"] = checked["sasl.mechanism"]
    if protocol.endswith("ssl"):
        said["ssl_context"] = _ssl_context(checked)
    return {"bootstrap_servers": bootstrap.split(","), "security_protocol": protocol.upper(), **said}


def faust_options(bootstrap: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Settings of a `faust.App`: `broker`, `broker_credentials`, `broker_client_id`."""
    checked = _checked(options)
    said: dict[str, Any] = {"broker": [f"kafka://{server.strip()}" for server in bootstrap.split(",")]}
    if "client.id" in checked:
        said["broker_client_id"] = checked["client.id"]
    credentials = _credentials(checked)
    if credentials is not None:
        said["broker_credentials"] = credentials
    return said


def _credentials(checked: Mapping[str, str]) -> Credentials | None:
    protocol = _protocol(checked)
    if protocol == "plaintext":
        return None
    from faust.auth import SASLCredentials, SSLCredentials  # noqa: PLC0415 - 0.2 s that only a worker has to wait

    if protocol == "ssl":
        return SSLCredentials(_ssl_context(checked))
    return SASLCredentials(
        username=checked["sasl.username"],
        password=checked["sasl.password"],
        mechanism=checked["sasl.mechanism"],
        # without a context Faust would say SASL_PLAINTEXT, and the password would travel in the clear
        ssl_context=_ssl_context(checked) if protocol == "sasl_ssl" else None,
    )


def _ssl_context(checked: Mapping[str, str]) -> ssl.SSLContext:
    """One context for the two Python clients, as strict as librdkafka is with the same options."""
    ca, certificate = checked.get("ssl.ca.location"), checked.get("ssl.certificate.location")
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            key, password = checked.get("ssl.key.location"), checked.get("ssl.key.password")
            context.load_cert_chain(certificate, key, password)
    except OSError as error:
        raise OptionError(
            f"Kafka's TLS files can't be used ({error}); check ssl.ca.location, "
            "ssl.certificate.location and ssl.key.location"
        ) from error
    context.check_hostname = checked.get("ssl.endpoint.identification.algorithm", "https") != "none"
    return context


def _protocol(checked: Mapping[str, str]) -> str:
    return checked.get("security.protocol", "plaintext")


def _checked(options: Mapping[str, str]) -> dict[str, str]:
    checked = {_ALIASES.get(name, name): value for name, value in options.items()}
    unknown = sorted(set(checked) - SUPPORTED)
    if unknown:
        raise OptionError(
            f"the Kafka option {unknown[0]!r} is not supported; use one of {', '.join(sorted(SUPPORTED))}"
        )
    if "security.protocol" in checked:
        checked["security.protocol"] = checked["security.protocol"].lower()
    protocol = _protocol(checked)
    if protocol not in PROTOCOLS:
        raise OptionError(
            f"the Kafka option 'security.protocol' is {protocol!r}; use one of {', '.join(PROTOCOLS)}"
        )
    if protocol.startswith("sasl"):
        _check_sasl(checked)
    return checked


def _check_sasl(checked: Mapping[str, str]) -> None:
    for name in ("sasl.mechanism", "sasl.username", "sasl.password"):
        if name not in checked:
            raise OptionError(
                f"the Kafka option {name!r} is missing; security.protocol={_protocol(checked)} needs it"
            )
    if checked["sasl.mechanism"] not in MECHANISMS:
        raise OptionError(
            f"the Kafka option 'sasl.mechanism' is {checked['sasl.mechanism']!r}; "
            f"use one of {', '.join(MECHANISMS)}"
        )
