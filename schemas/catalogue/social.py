"""The `social` domain: what customers say to each other."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.catalogue.base import Count, Data

Sentiment = Annotated[
    float, Field(ge=-1, le=1, allow_inf_nan=False, description="From -1 (bad) to 1 (good).")
]


class PostPublished(Data):
    """The customer wrote about the company in public."""

    network: str | None = None
    url: str | None = None
    sentiment: Sentiment | None = None
    reach: Count | None = None


class MentionAnswered(Data):
    """The company answered in public."""

    network: str | None = None
    team: str | None = None
    url: str | None = None


class MessageReceived(Data):
    """The customer wrote to the company on a network."""

    network: str | None = None
    topic: str | None = None
    sentiment: Sentiment | None = None


class FriendRecommended(Data):
    """The customer recommended the company to somebody."""

    network: str | None = None
    code: str | None = None


TYPES: dict[str, type[Data]] = {
    "social.post.published": PostPublished,
    "social.mention.answered": MentionAnswered,
    "social.message.received": MessageReceived,
    "social.friend.recommended": FriendRecommended,
}
