"""A machine on a contract: brought in pieces, it measures what it uses, which is charged, and there is a line to call.

What it was sold with are figures: the energy of a wash, the temperature, a fee, and that nobody waits on the telephone.
"""

from __future__ import annotations

from statistics import median

from pipeline.core.instants import DAY, MINUTE, SECOND
from pipeline.core.messages import Micros
from pipeline.simulate.clocks import Act, Terms, Word
from pipeline.simulate.company import (
    ANSWER,
    ANSWER_WITHIN,
    CONSUMPTION,
    DEPOTS,
    FEE,
    HOUR,
    KIT_DAYS,
    TEMPERATURE,
    USUAL_CHARGE,
    WASHES_AT,
)
from pipeline.simulate.episode import Data, Episode, Identities
from pipeline.simulate.figures import Said, Saying
from pipeline.simulate.plans import Journey

_LIFE = 12 * DAY
"""After it nothing is told of a machine any more."""


def machine(ep: Episode) -> None:
    """Signed for under an order's number, used for some days, perhaps given up."""
    contract = ep.name("L")
    journey = ("machine", contract)
    order = {"order_id": ep.name("O")}
    signed = ep.start
    claimed, fee = (50 + int(ep.rng.random() * 50)) / 100, ep.pick((4.9, 6.9, 9.9))
    data: Data = {"contract": contract, "kwh_per_wash": claimed, "fee": fee}
    ep.tell(signed, "sales.contract.signed", {**ep.me, **order}, data)
    given_up = signed + ep.between(DAY, 8 * DAY) if ep.chance(6 * ep.outcomes.dropped) else None
    until = given_up or signed + _LIFE
    _bring(ep, journey, order, signed + ep.between(MINUTE, 20 * HOUR))
    _wash(ep, journey, order, claimed, given_up)
    _charge(ep, journey, order, fee, until)
    for _ in range(int(ep.rng.random() * 3)):
        _call(ep, journey, signed + ep.between(MINUTE, until - signed - HOUR))
    if given_up is not None:
        ep.tell(given_up, "product.subscription.cancelled", ep.me, {"contract": contract, "reason": "moved"})


def _bring(ep: Episode, journey: Journey, order: Identities, shipped: Micros) -> None:
    """It comes in pieces, some at a time, by the end of a day on which the depot that sent them opens."""
    depot, pieces = ep.pick(tuple(DEPOTS)), 2 + int(ep.rng.random() * 5)
    data: Data = {"contract": journey[1], "depot": depot, "pieces": pieces}
    ep.tell(shipped, "fulfilment.kit.shipped", order, data)
    hours = DEPOTS[depot]
    due = hours.end_of_day(shipped, KIT_DAYS)
    took = None if ep.chance(2 * ep.outcomes.never) else ep.within(due - shipped)
    # the last ones may never come
    last = due - shipped if took is None else took
    at_first = 1 + int(ep.rng.random() * (pieces - 1))
    said = [Word(shipped + ep.between(last // 8, last // 2), Act.BRING, parts=at_first)]
    if took is not None:
        said.append(Word(shipped + took, Act.BRING, parts=pieces - at_first))
    for word in said:
        ep.tell(word.time, "fulfilment.kit.brought", order, {"contract": journey[1], "brought": word.parts})
    ep.promise("kit", journey, shipped, due, terms=Terms(hours), words=said, parts=pieces)


def _wash(ep: Episode, journey: Journey, order: Identities, claimed: float, given_up: Micros | None) -> None:
    """The machine reports what a wash has used and how hot it was; some never do."""
    signed = ep.start
    times = [] if ep.chance(0.15) else _now_and_then(ep, signed, given_up or signed + _LIFE, 2 * DAY)
    used, heat = [], []
    # most keep what was promised; one that does not, does so every time
    typical = 0.84 + 0.2 * ep.rng.random() + (0.15 if ep.chance(2 * ep.outcomes.late) else 0)
    for time in times:
        watt_hours = int(1000 * claimed * typical * (0.97 + 0.06 * ep.rng.random()))
        fahrenheit = (
            133 + int(ep.rng.random() * 15) + (ep.pick((-9, 11)) if ep.chance(ep.outcomes.late) else 0)
        )
        data: Data = {"contract": journey[1], "watt_hours": watt_hours, "fahrenheit": fahrenheit}
        ep.tell(time, "product.measurement.taken", order, {**data, "measure": "wash"})
        used.append(Said(time, Saying.FIGURE, watt_hours / 1000))
        heat.append(Said(time, Saying.FIGURE, (fahrenheit - 32) * 5 / 9))
    if given_up is not None:
        used.append(Said(given_up, Saying.CANCEL))
        heat.append(Said(given_up, Saying.CLOSE))
    ep.figure("consumption", journey, signed, claimed, used, CONSUMPTION)
    ep.figure("temperature", journey, signed, WASHES_AT, heat, TEMPERATURE)


def _charge(ep: Episode, journey: Journey, order: Identities, fee: float, until: Micros) -> None:
    """Every other day what was used, mostly about as much as ever, and the fee, mostly the one that was agreed."""
    usual, fees = 10 + 20 * ep.rng.random(), []
    amounts: list[float] = []
    for time in _now_and_then(ep, ep.start, until, 3 * DAY):
        is_odd = ep.chance(3 * ep.outcomes.late)
        amount = round(usual * (ep.pick((0.5, 1.6)) if is_odd else 0.93 + 0.14 * ep.rng.random()), 2)
        asked = fee if not ep.chance(ep.outcomes.late) else ep.pick((fee + 1, fee - 1))
        charge: Data = {"contract": journey[1], "amount": amount, "fee": asked}
        ep.tell(time, "billing.usage.charged", order, charge)
        fees.append(Said(time, Saying.FIGURE, asked))
        if len(amounts) >= USUAL_CHARGE.least:
            promised = median(amounts[-USUAL_CHARGE.last :])
            ep.figure(
                "usual_charge", journey, time, promised, [Said(time, Saying.FIGURE, amount)], USUAL_CHARGE
            )
        amounts.append(amount)
    ep.figure("fee", journey, ep.start, fee, fees, FEE)


def _call(ep: Episode, journey: Journey, time: Micros) -> None:
    """Answered within ten seconds, or later, or given up in the queue, or nobody knows."""
    call = ep.name("Q")
    data: Data = {"contract": journey[1], "call": call, "queue": "machines"}
    ep.tell(time, "service.call.queued", ep.me, data)
    said = []
    if not ep.chance(2 * ep.outcomes.never):
        is_late = ep.chance(2 * ep.outcomes.late)
        waited = ep.between(12 * SECOND, 90 * SECOND) if is_late else ep.between(SECOND, 8 * SECOND)
        is_given_up = ep.chance(2 * ep.outcomes.dropped)
        kind = "service.call.ended" if is_given_up else "service.call.answered"
        ep.tell(time + waited, kind, ep.me, data)
        said.append(Said(time + waited, Saying.CLOSE if is_given_up else Saying.STOP))
    ep.figure("answer", journey, time, ANSWER_WITHIN, said, ANSWER, per=call)


def _now_and_then(ep: Episode, start: Micros, until: Micros, most: Micros) -> list[Micros]:
    """A few instants between two others."""
    times: list[Micros] = []
    time = start + ep.between(most // 4, most)
    while time < until and len(times) < 6:
        times.append(time)
        time += ep.between(most // 2, most)
    return times
