"""The examples' figures, computed from the tables themselves: DuckDB and SQL, nothing of Throughline.

In: the folder with `olist/` and `bpic2012/`. Out: `Figures` by the rules of docs/semantics.md. That two ways
of computing them agree, of which one is this, is what the example tests are about.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
from example_figures import Figures

OLIST_AS_OF = "2018-10-22 03:33:14"
LOANS_AS_OF = "2012-03-14 15:04:54.681+00"


_PROMISE = """
    SELECT count(*) FILTER (met <= due), count(*) FILTER (met > due),
           count(*) FILTER (met IS NULL AND due < as_of), count(*) FILTER (met IS NULL AND due >= as_of), 0
"""
_STALL = """
    SELECT count(*), count("left"), count(*) - count("left") FROM visits
    WHERE coalesce("left", as_of) - entered > expected
"""


def olist(data: Path) -> Figures:
    database = duckdb.connect()
    for table in ("orders", "order_items", "order_reviews", "customers"):
        file = data / "olist" / f"olist_{table}_dataset.csv.gz"
        database.execute(f"CREATE TABLE {table} AS SELECT * FROM read_csv('{file}', header = true)")
    database.execute(
        f"""CREATE TABLE o AS SELECT order_id, customer_id, TIMESTAMP '{OLIST_AS_OF}' AS as_of,
            order_purchase_timestamp AS bought, order_approved_at AS approved,
            order_delivered_carrier_date AS carried, order_delivered_customer_date AS delivered,
            order_estimated_delivery_date AS estimated FROM orders"""
    )
    promises = {
        "delivery": "(SELECT estimated AS due, delivered AS met, as_of FROM o)",
        "delivery_day": """(SELECT date_trunc('day', estimated) + INTERVAL 1 DAY AS due, delivered AS met, as_of
                           FROM o)""",
        "approval": "(SELECT bought + INTERVAL 24 HOURS AS due, approved AS met, as_of FROM o)",
        "hand_over": """(SELECT shipping_limit_date AS due, carried AS met, as_of
                         FROM order_items JOIN o USING (order_id))""",
    }
    transit = """WITH visits AS (
        SELECT carried AS entered, delivered AS "left", as_of, INTERVAL 14 DAYS AS expected
        FROM o WHERE carried IS NOT NULL AND (delivered IS NULL OR delivered >= carried))"""
    return Figures(
        touchpoints=_number(
            database,
            """SELECT (SELECT count(bought) + count(approved) + count(carried) + count(delivered) FROM o)
                    + (SELECT count(*) FROM order_items) + (SELECT count(*) FROM order_reviews)""",
        ),
        persons=_number(
            database, "SELECT count(DISTINCT customer_unique_id) FROM o JOIN customers USING (customer_id)"
        ),
        promises={name: _row(database, f"{_PROMISE} FROM {rows}") for name, rows in promises.items()},
        stalls={"in_transit": _row(database, transit + _STALL)},
    )


def loans(data: Path) -> Figures:
    database = duckdb.connect()
    file = data / "bpic2012" / "bpic2012.events.csv.gz"
    database.execute(
        f"""CREATE TABLE log AS SELECT "case:concept:name" AS case_id, event_index AS number,
            "concept:name" AS activity, "lifecycle:transition" AS step, "time:timestamp" AS moment
            FROM read_csv('{file}', header = true, types = {{'time:timestamp': 'TIMESTAMPTZ'}})"""
    )
    decided = "'A_APPROVED', 'A_DECLINED', 'A_CANCELLED'"
    decision = f"""(SELECT made.moment + INTERVAL 720 HOURS AS due, TIMESTAMPTZ '{LOANS_AS_OF}' AS as_of,
        (SELECT min(moment) FROM log AS met
         WHERE met.case_id = made.case_id AND met.activity IN ({decided})) AS met
        FROM log AS made WHERE made.activity = 'A_SUBMITTED')"""
    answered = "'O_SENT_BACK', 'O_ACCEPTED', 'O_DECLINED', 'O_CANCELLED'"
    visits = {
        "offer_out": _paired("activity = 'O_SENT'", f"activity IN ({answered}, {decided})", 14),
        "validation_queue": _queued("W_Valideren aanvraag"),
        "call_queue": _queued("W_Nabellen offertes"),
    }
    return Figures(
        touchpoints=_number(database, "SELECT count(*) FROM log"),
        persons=_number(database, "SELECT count(DISTINCT case_id) FROM log"),
        promises={"decision": _row(database, f"{_PROMISE} FROM {decision}")},
        stalls={name: _row(database, of_stage + _STALL) for name, of_stage in visits.items()},
    )


def _queued(work: str) -> str:
    """Visits of the queue in which work waits, three days at most, from its scheduling to its start."""
    return _paired(f"activity = '{work}' AND step = 'SCHEDULE'", f"activity = '{work}' AND step = 'START'", 3)


def _paired(enter: str, leave: str, days: int) -> str:
    """Visits of a stage that may be visited often: an entry counts when the step before it is none."""
    return f"""WITH steps AS (
            SELECT *, {enter} AS enters FROM log WHERE ({enter}) OR ({leave})),
        marked AS (
            SELECT enters, moment AS entered, lag(enters) OVER trail AS inside,
                   first_value(CASE WHEN NOT enters THEN moment END IGNORE NULLS) OVER later AS "left"
            FROM steps WINDOW trail AS (PARTITION BY case_id ORDER BY moment, number),
            later AS (PARTITION BY case_id ORDER BY moment, number
                      ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)),
        visits AS (
            SELECT entered, "left", TIMESTAMPTZ '{LOANS_AS_OF}' AS as_of, INTERVAL {days} DAYS AS expected
            FROM marked WHERE enters AND inside IS DISTINCT FROM true)"""


def _row(database: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    row = database.execute(query).fetchone()
    assert row is not None
    return tuple(int(value) for value in row)


def _number(database: duckdb.DuckDBPyConnection, query: str) -> int:
    return _row(database, query)[0]
