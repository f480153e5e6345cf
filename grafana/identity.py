"""Identity: who is one person with whom. Over-merging shows here: large persons, shared identifiers, refused links."""
# ruff: noqa: S608 - the SQL is made of constants; nothing of a request is ever in it

from __future__ import annotations

from typing import Any

from grafana.panels import FULL, HALF, THIRD, add_panels, bars, board, history, link_to, listing, number

_MADE = """
    (SELECT status, rule, assumeNotNull(linked_at) AS made_at FROM ${database}.links WHERE linked_at IS NOT NULL)"""
"""Links with the time of the touchpoint that made them."""
_KIND = "splitByChar(':', {0})[1]"
"""Of a token; behind the kind stands its period, if it has a life time, and the hash."""
_SIZES = """
    SELECT person_id, any(named_by) AS named_by, count() AS identifiers, groupArray(identifier) AS tokens
    FROM ${database}.identifiers FINAL
    WHERE NOT shared
    GROUP BY person_id"""


def identity() -> Any:
    """The dashboard, ready to be encoded."""
    about = (
        "Personal identifiers that are one person, and why. No value of an identifier is shown: "
        "`throughline identity show` tells a person's. Times are event times, in UTC."
    )
    begun = board("identity", "identity", about, since="now-30d", refresh="1m").link(
        link_to("Live overview", "live")
    )
    add_panels(begun, [*_figures(), *_persons(), *_links()])
    return begun.build()


def _figures() -> list[Any]:
    return [
        number(
            "Persons", "Who have a touchpoint.", "SELECT count() AS persons FROM ${database}.living_persons"
        ),
        number(
            "Linked identifiers",
            "Personal identifiers that are one person with another.",
            f"SELECT sum(identifiers) AS linked FROM ({_SIZES}) WHERE identifiers > 1",
        ),
        number(
            "Largest person",
            "The most identifiers that one person has.",
            f"SELECT max(identifiers) AS identifiers FROM ({_SIZES})",
        ),
        number(
            "Shared identifiers",
            "Linked to more others than their kind allows (most_links): they join nobody.",
            "SELECT countIf(shared) AS identifiers FROM ${database}.identifiers FINAL",
        ),
        number(
            "Refused links",
            "Made in the time range, and joining nobody.",
            f"SELECT countIf(status = 'refused') AS links FROM {_MADE} WHERE $__timeFilter(made_at)",
        ),
        number(
            "Overrides pending",
            "Groups of touchpoints published under another person than today's; `identity squash` writes them in.",
            "SELECT countIf(born_person_id != person_id) AS overrides FROM ${database}.person_overrides FINAL",
        ),
    ]


def _persons() -> list[Any]:
    return [
        listing(
            "Largest persons",
            "A person with many identifiers may be several: look at it with `throughline identity show <person_id>`.",
            f"""
            SELECT person_id, identifiers, {_KIND.format("named_by")} AS named_by_kind,
                arrayStringConcat(arrayMap(kind -> concat(kind, ' ', toString(countEqual(kinds, kind))),
                    arraySort(arrayDistinct(kinds))), ', ') AS kinds_of_identifiers
            FROM
            (
                SELECT person_id, identifiers, named_by,
                    arrayMap(token -> {_KIND.format("token")}, tokens) AS kinds
                FROM ({_SIZES})
                ORDER BY identifiers DESC, person_id
                LIMIT 50
            )
            ORDER BY identifiers DESC, person_id
            """,
            span=FULL - THIRD,
        ),
        bars(
            "Persons by number of identifiers",
            "Of those that have two or more.",
            f"""
            SELECT if(identifiers > 9, '10 or more', toString(identifiers)) AS size, count() AS persons
            FROM ({_SIZES})
            WHERE identifiers > 1
            GROUP BY size
            ORDER BY min(identifiers)
            """,
            unit="short",
            span=THIRD,
        ),
    ]


def _links() -> list[Any]:
    return [
        history(
            "Links made, by what became of them",
            "By the time of the touchpoint that made them; a refused link names its rule.",
            f"""
            SELECT $__timeInterval(made_at) AS bucket,
                if(rule = '', status, concat(status, ': ', rule)) AS became, count() AS links
            FROM {_MADE}
            WHERE $__timeFilter(made_at)
            GROUP BY bucket, became
            ORDER BY bucket
            """,
            bars=True,
        ),
        listing(
            "Shared identifiers",
            "With how many others each was linked.",
            f"""
            SELECT {_KIND.format("identifier")} AS kind, substring(identifier, -32, 8) AS token, count() AS links
            FROM (SELECT identifier FROM ${{database}}.identifiers FINAL WHERE shared) AS shared
            INNER JOIN (SELECT arrayJoin([one, other]) AS identifier FROM ${{database}}.links) AS linked USING identifier
            GROUP BY identifier
            ORDER BY links DESC, identifier
            LIMIT 50
            """,
            span=HALF,
        ),
        listing(
            "Refused and unlinked",
            "The latest first: the rule, the touchpoint that said it, and the two persons of that moment.",
            f"""
            SELECT ifNull(said_at, linked_at) AS at, {_KIND.format("one")} AS kind, {_KIND.format("other")} AS other_kind,
                status, rule, if(said_id = '', linked_source, said_source) AS source,
                if(said_id = '', linked_id, said_id) AS id, persons[1] AS person, persons[2] AS other_person
            FROM ${{database}}.links
            WHERE status != 'joined'
            ORDER BY at DESC
            LIMIT 200
            """,
            span=FULL,
        ),
    ]
