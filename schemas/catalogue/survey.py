"""The `survey` domain: what customers say when they are asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.catalogue.base import Data


class SurveySent(Data):
    """The customer was asked."""

    survey: str | None = None
    kind: Literal["nps", "csat", "ces"] | None = None
    channel: str | None = None


class NpsAnswered(Data):
    """How likely the customer would recommend the company."""

    score: Annotated[int, Field(ge=0, le=10)] | None = None
    comment: str | None = None
    survey: str | None = None


class CsatAnswered(Data):
    """How satisfied the customer is."""

    score: Annotated[int, Field(ge=1, le=5)] | None = None
    comment: str | None = None
    survey: str | None = None


class CesAnswered(Data):
    """How easy it was."""

    score: Annotated[int, Field(ge=1, le=7)] | None = None
    survey: str | None = None


class ReviewWritten(Data):
    """The customer reviewed a product or an order."""

    score: Annotated[int, Field(ge=1, le=5)] | None = None
    title: str | None = None
    comment: str | None = None
    product: str | None = None


TYPES: dict[str, type[Data]] = {
    "survey.survey.sent": SurveySent,
    "survey.nps.answered": NpsAnswered,
    "survey.csat.answered": CsatAnswered,
    "survey.ces.answered": CesAnswered,
    "survey.review.written": ReviewWritten,
}
