"""The account of one episode: what was planned and what was done on the way in, its lines of the truth out."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.core.messages import Micros
from pipeline.simulate.company import UNMAPPED_TYPES
from pipeline.simulate.episode import Episode
from pipeline.simulate.experience import Experience
from pipeline.simulate.faults import Note, Transmission
from pipeline.simulate.truth import IdentifierTruth, TouchpointTruth, Truth


def account(episode: Episode, sent: Transmission, end: Micros, experience: Experience) -> Iterator[Truth]:
    """As of `end`, by what everybody has lived through until then."""
    persons: dict[Micros, str] = {}
    for note, (event, person) in zip(sent.notes, episode.persons(end), strict=True):
        persons[event.time] = person
        yield _touchpoint(note, person)
    yield from sent.refused
    yield from filter(None, (promise.as_of(end, persons, experience) for promise in episode.promises))
    yield from filter(None, (figure.as_of(end, persons) for figure in episode.figures))
    yield from filter(None, (visit.as_of(end, persons, experience) for visit in episode.visits))
    yield from filter(None, (refusal.as_of(end) for refusal in episode.refusals))
    for identifier, person in episode.identifiers(end):
        yield IdentifierTruth(identifier, person, episode.tangle)


def _touchpoint(note: Note, person: str) -> TouchpointTruth:
    event = note.event
    is_mapped = event.type not in UNMAPPED_TYPES
    return TouchpointTruth(event.source, event.id, event.type, person, is_mapped, note.arrival, note.copies)
