"""Questions to a broker that has only just started are asked again; any other refusal is told at once."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline.operations.clients import patiently

PASSING = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
)


def refusing(code: int, times: int) -> list[KafkaException]:
    return [KafkaException(KafkaError(code)) for _ in range(times)]


@pytest.mark.parametrize("code", PASSING)
def test_what_a_broker_says_that_has_just_come_back_is_asked_again(code: int) -> None:
    refusals = refusing(code, 2)

    def ask() -> str:
        if refusals:
            raise refusals.pop()
        return "here"

    assert patiently(ask, 5) == "here"


def test_another_refusal_is_told_at_once() -> None:
    refusals = refusing(KafkaError.TOPIC_AUTHORIZATION_FAILED, 2)

    def ask() -> str:
        raise refusals.pop()

    with pytest.raises(KafkaException):
        patiently(ask, 5)
    assert len(refusals) == 1
