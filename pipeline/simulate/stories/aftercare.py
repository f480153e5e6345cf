"""After the purchase: set-up, survey, return, installation, complaint, each with its own promise."""

from __future__ import annotations

from functools import partial

from pipeline.core.instants import DAY, MINUTE, moment
from pipeline.core.messages import Micros
from pipeline.simulate.company import (
    ACTIVATION_WITHIN,
    AWAITING_INSTALLATION_LIMIT,
    DETRACTOR_CALL_WITHIN,
    GOOD_SCORE,
    HOUR,
    INSPECTION,
    INSPECTION_LIMIT,
    REFUND_WITHIN,
    SATISFACTION,
    SETUP,
    SETUP_LIMIT,
    SOCIAL_ANSWER_WITHIN,
)
from pipeline.simulate.episode import Data, Episode, Identities
from pipeline.simulate.figures import Said, Saying
from pipeline.simulate.stories.tickets import ticket


def after_delivery(ep: Episode, order: Identities, delivered: Micros) -> None:
    """What may follow an order that arrived."""
    if ep.chance(0.3):
        _set_up(ep, delivered + ep.wait(6 * HOUR, 2 * DAY))
    if ep.chance(0.35):
        _survey(ep, order, delivered + ep.wait(DAY, 3 * DAY))
    if ep.chance(0.12):
        _return(ep, order, delivered + ep.wait(2 * DAY, 6 * DAY))
    if ep.chance(0.12):
        ticket(ep, ep.me, delivered + ep.wait(DAY, 5 * DAY))


def chase(ep: Episode, order: Identities, time: Micros) -> None:
    """The order is late: the customer complains in public, or asks the help desk."""
    if ep.chance(0.3):
        complain(ep, order, time)
    else:
        ticket(ep, order, time)


def _set_up(ep: Episode, time: Micros) -> None:
    serial = ep.name("N")
    journey = ("onboarding", serial)
    # whoever registers a device has an account, also one who bought as a guest
    account, device = {"customer_id": ep.customer}, {"device": ep.name("D")}
    ids = {**account, **device}
    data: Data = {"serial": serial}
    registered = ep.tell(time, "product.device.registered", ids, data)
    ep.own(account, device, since=registered)
    after = ep.within(ACTIVATION_WITHIN)
    activated = None if after is None else ep.tell(registered + after, "product.account.activated", ids, data)
    ep.promise("activation", journey, registered, registered + ACTIVATION_WITHIN, met=activated)
    started = ep.tell(registered + ep.between(MINUTE, HOUR), "product.setup.started", ids, data)
    lasted = ep.lasts(SETUP_LIMIT)
    done = (
        None if lasted is None else ep.tell(started + lasted, "product.setup.completed", ids, data, "success")
    )
    ep.visit("setup", journey, started, done, SETUP_LIMIT, terms=SETUP)


def _survey(ep: Episode, order: Identities, time: Micros) -> None:
    """Asked by e-mail; an answer that finds fault is promised a call."""
    survey_id = ep.name("V")
    ep.tell(time, "survey.survey.sent", ep.me, {"survey": survey_id, "kind": "nps"})
    satisfaction = partial(ep.figure, "satisfaction", ("feedback", survey_id), time, GOOD_SCORE)
    if ep.chance(0.4):
        satisfaction([], SATISFACTION)
        return
    answered = time + ep.wait(8 * HOUR, 4 * DAY)
    score = int(11 * ep.rng.random() ** 0.5)
    satisfaction([Said(answered, Saying.FIGURE, score)], SATISFACTION)
    group = "promoter" if score > 8 else "passive" if score > 6 else "detractor"
    answer: Data = {"survey": survey_id, "score": score, "group": group}
    ep.tell(answered, "survey.nps.answered", order, answer)
    if group == "detractor":
        after = ep.within(DETRACTOR_CALL_WITHIN)
        called = None if after is None else answered + after
        if called is not None:
            ep.tell(called, "service.call.ended", ep.me, {"survey": survey_id, "queue": "outbound"})
        ep.promise(
            "detractor_call", ("feedback", survey_id), answered, answered + DETRACTOR_CALL_WITHIN, met=called
        )


def _return(ep: Episode, order: Identities, asked: Micros) -> None:
    """A return is followed by its own number, which is no identifier: `data.return_id`."""
    return_id = ep.name("R")
    data: Data = {"return_id": return_id}
    journey = ("return", return_id)
    ep.tell(asked, "sales.return.requested", {**ep.me, **order}, {**data, "reason": "unsuitable"})
    received = ep.tell(asked + ep.wait(2 * DAY, 6 * DAY), "fulfilment.return.received", order, data)
    lasted = ep.lasts(INSPECTION_LIMIT)
    inspected = (
        None if lasted is None else ep.tell(received + lasted, "fulfilment.return.inspected", order, data)
    )
    ep.visit("returns_inspection", journey, received, inspected, INSPECTION_LIMIT, terms=INSPECTION)
    if inspected is not None and ep.chance(2 * ep.outcomes.dropped):
        refunded, rejected = None, inspected + ep.between(MINUTE, 4 * HOUR)
        ep.tell(rejected, "fulfilment.return.rejected", order, data, "failure")
    else:
        after = ep.within(REFUND_WITHIN)
        refunded, rejected = None if after is None else received + after, None
    if refunded is not None:
        ep.tell(refunded, "billing.refund.paid", order, {**data, "amount": 149.0}, "success")
    ep.promise("refund", journey, received, received + REFUND_WITHIN, met=refunded, cancelled=rejected)


def help_desk(ep: Episode) -> None:
    """Trouble of another kind: the customer asks the help desk, or the public."""
    ask_for_help(ep, ep.me, ep.start)


def ask_for_help(ep: Episode, who: Identities, time: Micros) -> None:
    if ep.chance(0.2):
        complain(ep, who, time)
    else:
        ticket(ep, who, time)


def installation(ep: Episode, order: Identities, booked: Micros) -> None:
    """A partner's appointment: promised for a window, done, missed or called off."""
    appointment = ep.name("A")
    journey = ("installation", appointment)
    data: Data = {"visit": appointment, "partner": "fit-and-go"}
    lasted = ep.lasts(AWAITING_INSTALLATION_LIMIT)
    ended = None if lasted is None else booked + lasted
    done = called_off = None
    if ended is None:
        due = booked + 5 * DAY
    elif ep.chance(3 * ep.outcomes.dropped):
        due = ended + DAY
        called_off = ep.tell(ended, "partner.visit.cancelled", order, data)
    else:
        due = ep.aimed(booked, ended, slack=4 * HOUR)
        done = ep.tell(ended, "partner.visit.completed", order, data, "success")
    ep.tell(booked, "partner.visit.scheduled", order, {**data, "ends_at": moment(due)})
    ep.visit("awaiting_installation", journey, booked, ended, AWAITING_INSTALLATION_LIMIT)
    ep.promise("appointment", journey, booked, due, met=done, cancelled=called_off)


def complain(ep: Episode, identities: Identities, time: Micros) -> None:
    post = ep.name("B")
    journey = ("complaint", post)
    data: Data = {"post": post, "network": "chirper"}
    posted = ep.tell(time, "social.post.published", identities, data)
    after = ep.within(SOCIAL_ANSWER_WITHIN)
    answered = None if after is None else ep.tell(posted + after, "social.mention.answered", identities, data)
    ep.promise("social_answer", journey, posted, posted + SOCIAL_ANSWER_WITHIN, met=answered)
