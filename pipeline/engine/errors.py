"""Typed errors of the engine, and the exit codes of a worker.

Every message is a sentence that says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from pipeline.errors import ThroughlineError

EXIT_DRAINED = 0
"""Stopped by a signal: batches under way were committed."""
EXIT_FAILED = 1
"""An unexpected failure: a broker that stayed away, a logic that kept raising."""
EXIT_STOPPED = 3
"""A `StopWorker`: starting it again without following the message's remedy gives the same."""
EXIT_ABANDONED = 4
"""Stopped by a signal, but a batch was still under way at the deadline; it will be read again."""
EXIT_FENCED = 5
"""Another worker has taken over its partitions: this one was frozen or cut off. It can be started again."""


class EngineError(ThroughlineError):
    """Base of what the engine raises on purpose."""

    exit_code = EXIT_FAILED


class StopWorker(EngineError):  # noqa: N818 - raised to do what it says
    """Stops the worker with its message; also what a stage's logic raises for the same purpose."""

    exit_code = EXIT_STOPPED


class TopicMissingError(StopWorker):
    """A topic that is needed is not there."""


class TopicMismatchError(StopWorker):
    """A topic exists with other partitions, retention or cleanup than declared."""


class PositionLostError(StopWorker):
    """A position does not belong to its input: outside the log, another topic's, or without its state."""


class ChangelogDamagedError(StopWorker):
    """State that was read back from the changelog, and from nowhere else, can't be right."""

    def __init__(self, changelog: str, partition: int, why: Exception) -> None:
        super().__init__(
            f"the changelog {changelog}-{partition} holds state that this version cannot use: {why}; run the version "
            "that wrote it, restore the topic, or start the pipeline under a new name and replay"
        )


class GroupBusyError(EngineError):
    """A consumer group that was to be deleted has members."""


class BrokerUnavailableError(EngineError):
    """No broker answered in time, or it refused the connection."""


class FencedError(EngineError):
    """Another producer with this transactional id has taken over, or the transaction has timed out."""

    exit_code = EXIT_FENCED


class SilencedError(FencedError):
    """The process was frozen for longer than its session: the group may have given its partitions to others."""


class BatchFailedError(EngineError):
    """A batch failed again and again; the message names topic, partition and offsets."""
