"""One set of options for three Kafka clients."""

from __future__ import annotations

import ssl
import time

import pytest
from confluent_kafka import Producer

from pipeline.engine.clients import OptionError, admin_options, confluent_options, faust_options, logged

SASL = {
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": "throughline",
    "sasl.password": "secret",
}


def test_without_options_all_three_talk_plaintext_to_the_same_servers() -> None:
    servers = "one:9092,two:9093"
    assert confluent_options(servers, {})["bootstrap.servers"] == servers
    admin = admin_options(servers, {})
    assert (admin["bootstrap_servers"], admin["security_protocol"]) == (["one:9092", "two:9093"], "PLAINTEXT")
    assert faust_options(servers, {}) == {"broker": ["kafka://one:9092", "kafka://two:9093"]}


def test_sasl_over_tls_reaches_all_three() -> None:
    confluent = confluent_options("one:9092", SASL)
    assert confluent["security.protocol"] == "sasl_ssl"
    assert confluent["sasl.password"] == "secret"
    admin = admin_options("one:9092", SASL)
    assert admin["security_protocol"] == "SASL_SSL"
    assert (admin["sasl_mechanism"], admin["sasl_plain_username"]) == ("SCRAM-SHA-512", "throughline")
    assert isinstance(admin["ssl_context"], ssl.SSLContext)
    credentials = faust_options("one:9092", SASL)["broker_credentials"]
    assert credentials.protocol.value == "SASL_SSL"
    assert credentials.mechanism.value == "SCRAM-SHA-512"
    assert (credentials.username, credentials.password) == ("throughline", "secret")


def test_faust_never_sends_a_password_in_the_clear_when_tls_was_asked_for() -> None:
    """Without a context it would say SASL_PLAINTEXT."""
    assert faust_options("one:9092", SASL)["broker_credentials"].ssl_context is not None
    plain = faust_options("one:9092", {**SASL, "security.protocol": "sasl_plaintext"})
    assert plain["broker_credentials"].protocol.value == "SASL_PLAINTEXT"


def test_tls_alone_verifies_the_servers_name_unless_told_otherwise() -> None:
    strict = faust_options("one:9092", {"security.protocol": "ssl"})["broker_credentials"].context
    assert strict.check_hostname
    assert strict.verify_mode == ssl.CERT_REQUIRED
    lax = {"security.protocol": "ssl", "ssl.endpoint.identification.algorithm": "none"}
    assert not admin_options("one:9092", lax)["ssl_context"].check_hostname


def test_librdkafkas_other_spelling_of_the_mechanism_is_understood() -> None:
    options = {**SASL, "sasl.mechanisms": SASL["sasl.mechanism"]}
    del options["sasl.mechanism"]
    assert confluent_options("one:9092", options)["sasl.mechanism"] == "SCRAM-SHA-512"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"transactional.id": "mine"}, "'transactional.id' is not supported; use one of client.id"),
        ({"security.protocol": "tls"}, "'security.protocol' is 'tls'; use one of plaintext, ssl"),
        ({**SASL, "sasl.mechanism": "GSSAPI"}, "'sasl.mechanism' is 'GSSAPI'; use one of PLAIN"),
        (
            {"security.protocol": "sasl_ssl"},
            "'sasl.mechanism' is missing; security.protocol=sasl_ssl needs it",
        ),
        ({"security.protocol": "ssl", "ssl.ca.location": "/no/such/file"}, "check ssl.ca.location"),
    ],
)
def test_an_option_that_cannot_be_right_is_refused_with_the_remedy(
    options: dict[str, str], said: str
) -> None:
    with pytest.raises(OptionError, match=said.replace("(", r"\(")):
        admin_options("one:9092", options)


def test_what_librdkafka_has_to_say_goes_to_the_log_and_not_to_standard_error(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    producer = Producer(logged(confluent_options("127.0.0.1:9", {})))
    deadline = time.monotonic() + 20
    while not caplog.records:
        assert time.monotonic() < deadline
        producer.poll(0.1)
    assert {record.name for record in caplog.records} == {"librdkafka"}
    assert "Connection refused" in caplog.text
    assert capfd.readouterr().err == ""
