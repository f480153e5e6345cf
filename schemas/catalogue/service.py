"""The `service` domain: when a customer needs help."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.catalogue.base import Count, Data, Seconds, WireInstant


class TicketOpened(Data):
    """The customer asked for help."""

    channel: Literal["phone", "email", "chat", "web", "branch", "social"] | None = None
    topic: str | None = None
    priority: Literal["low", "normal", "high", "urgent"] | None = None
    respond_by: WireInstant | None = None
    resolve_by: WireInstant | None = None


class TicketAnswered(Data):
    """The company answered."""

    team: str | None = None
    agent: str | None = None
    automatic: bool | None = None


class TicketEscalated(Data):
    """The ticket went to another level."""

    from_team: str | None = None
    to_team: str | None = None
    reason: str | None = None


class TicketResolved(Data):
    """The company considers the ticket solved."""

    resolution: str | None = None
    team: str | None = None
    contacts: Count | None = None


class TicketReopened(Data):
    """The customer does not."""

    reason: str | None = None


class CallAnswered(Data):
    """A call was answered."""

    queue: str | None = None
    waited: Seconds | None = None
    agent: str | None = None


class CallEnded(Data):
    """A call came to its end."""

    queue: str | None = None
    duration: Seconds | None = None
    transfers: Count | None = None
    solved: bool | None = None


class CallbackPromised(Data):
    """The company promised to call back."""

    call_by: WireInstant | None = None
    agent: str | None = None


class ChatEnded(Data):
    """A chat came to its end."""

    bot: bool | None = None
    duration: Seconds | None = None
    handed_to_agent: bool | None = None


class OtherIdentifier(Data):
    """The second of two identifiers of one kind, of which `identities` holds one."""

    kind: Annotated[str, StringConstraints(min_length=1)]
    value: Annotated[str, StringConstraints(min_length=1)]


class IdentityLinked(Data):
    """Somebody has said that two personal identifiers are one person, also against an earlier unlinking."""

    other: OtherIdentifier | None = None
    at: WireInstant | None = Field(
        default=None,
        description="When they were what is meant, of kinds with a life time; else the event's time.",
    )
    reason: str | None = None


class IdentityUnlinked(Data):
    """Somebody has said that two personal identifiers are not one person, whatever links them."""

    other: OtherIdentifier | None = None
    at: WireInstant | None = Field(
        default=None,
        description="When they were what is meant, of kinds with a life time; else the event's time.",
    )
    reason: str | None = None


class IdentityImported(Data):
    """A table says that two personal identifiers are one person. An unlinking by name stands against it."""

    other: OtherIdentifier | None = None


TYPES: dict[str, type[Data]] = {
    "service.ticket.opened": TicketOpened,
    "service.ticket.answered": TicketAnswered,
    "service.ticket.escalated": TicketEscalated,
    "service.ticket.resolved": TicketResolved,
    "service.ticket.reopened": TicketReopened,
    "service.call.answered": CallAnswered,
    "service.call.ended": CallEnded,
    "service.callback.promised": CallbackPromised,
    "service.chat.ended": ChatEnded,
    "service.identity.linked": IdentityLinked,
    "service.identity.unlinked": IdentityUnlinked,
    "service.identity.imported": IdentityImported,
}
