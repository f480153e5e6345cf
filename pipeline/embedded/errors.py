"""What can go wrong with an embedded service. Every message is one sentence for the user, with the remedy."""

from __future__ import annotations

from pipeline.errors import ThroughlineError


class EmbeddedError(ThroughlineError):
    """An embedded service can't start or has ended; the message says what to do."""


class JavaMissingError(EmbeddedError):
    """No Java 17 or newer was found."""


class JarsUnavailableError(EmbeddedError):
    """Kafka's jars are neither cached nor to be had from the registry."""


class JarMismatchError(EmbeddedError):
    """A downloaded jar is not the one in the lock file."""


class PortTakenError(EmbeddedError):
    """Another process listens where a service should."""


class FolderUnusableError(EmbeddedError):
    """A data folder is in use, or was not written by this service."""


class StartFailedError(EmbeddedError):
    """A service ended, or said nothing, before it was ready."""
