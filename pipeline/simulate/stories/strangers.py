"""People who have an identifier in common and are not one person: a computer, a counter's tablet, a family's address.

Of two customer numbers on one identifier the first keeps it, and what is done under it alone is the first one's. What
more people use than the map's `most_links` is nobody's, and a person of its own.
"""

from __future__ import annotations

from pipeline.core.instants import DAY, MINUTE, SECOND
from pipeline.core.messages import Micros
from pipeline.simulate.company import HOUR, MOST_LINKS
from pipeline.simulate.episode import Episode, Identities
from pipeline.simulate.stories.aftercare import ask_for_help
from pipeline.simulate.stories.late_links import browse, new_address
from pipeline.simulate.stories.outreach import make_offer
from pipeline.simulate.stories.tickets import ticket


def shared_by_few(ep: Episode) -> None:
    """Two or three customers log in on one computer; each has matters of their own, some is done by nobody knows whom."""
    machine = _machine(ep)
    users = _customers(ep, 3 if ep.chance(0.3) else 2)
    times = _one_after_another(ep, ep.start, len(users), HOUR, 2 * DAY)
    for user, time in zip(users, times, strict=True):
        ep.tell(time, "sales.session.identified", {**user, **machine}, {})
        ask_for_help(ep, user, time + ep.between(MINUTE, DAY))
        browse(ep, machine, time + ep.between(SECOND, HOUR))
    ticket(ep, machine, ep.start + ep.between(MINUTE, 3 * DAY))
    _belongs_to_the_first(ep, machine, users, times)


def family_email(ep: Episode) -> None:
    """A family has one address and a customer number each: offers are each one's, the clicks the first one's."""
    email = new_address(ep)
    family = _customers(ep, 3 if ep.chance(0.4) else 2)
    times = _one_after_another(ep, ep.start, len(family), HOUR, 2 * DAY)
    for member, time in zip(family, times, strict=True):
        make_offer(ep, member, email, time)
        ep.tell(time + ep.between(MINUTE, DAY), "marketing.message.opened", email, {"campaign": "family"})
    if ep.chance(0.5):
        ticket(ep, email, ep.start + ep.between(MINUTE, 3 * DAY))
    _belongs_to_the_first(ep, email, family, times)


def shared_by_many(ep: Episode) -> None:
    """A tablet on a counter: one visitor after another leaves a customer number or an address."""
    tablet = _machine(ep)
    browse(ep, tablet, ep.tell(ep.start, "marketing.page.viewed", tablet, {"url": "/welcome"}))
    visitors = [ep.me, *(_visitor(ep) for _ in range(MOST_LINKS + int(ep.rng.random() * 4)))]
    opened = ep.start + ep.between(MINUTE, 2 * DAY)
    times = _one_after_another(ep, opened, len(visitors), MINUTE // 2, 5 * MINUTE)
    for visitor, time in zip(visitors, times, strict=True):
        kind = "marketing.lead.captured" if "email" in visitor else "sales.session.identified"
        ep.tell(time, kind, {**visitor, **tablet}, {})
        ep.refuse("shared", visitor, tablet, since=times[-1])
        if ep.chance(0.4):
            ask_for_help(ep, visitor, time + ep.between(MINUTE, DAY))
    # while few have used it, who knows an address alone would be taken for another: no plan, so never the end
    ep.burst(times[0], times[-1])
    ticket(ep, tablet, opened + ep.between(MINUTE, DAY))


def _machine(ep: Episode) -> Identities:
    return {"cookie": ep.name("K")} if ep.chance(0.5) else {"device": ep.name("D")}


def _customers(ep: Episode, count: int) -> list[Identities]:
    """The episode's own and others, each with a customer number."""
    return [ep.me, *({"customer_id": ep.name("C")} for _ in range(count - 1))]


def _visitor(ep: Episode) -> Identities:
    return new_address(ep) if ep.chance(0.6) else {"customer_id": ep.name("C")}


def _one_after_another(ep: Episode, start: Micros, count: int, least: Micros, most: Micros) -> list[Micros]:
    times = [start]
    while len(times) < count:
        times.append(times[-1] + ep.between(least, most))
    return times


def _belongs_to_the_first(
    ep: Episode, shared: Identities, users: list[Identities], times: list[Micros]
) -> None:
    ep.own(users[0], shared, since=times[0])
    for user, time in zip(users[1:], times[1:], strict=True):
        ep.refuse("unique", user, shared, since=time)
