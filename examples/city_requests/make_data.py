"""Invents a small data set: what the citizens of Novaria, a city that does not exist, asked of it in early 2025.

Run `python make_data.py FOLDER`. It writes three tables that differ in everything that tables differ in:
`requests.csv.gz` (semicolons, Latin-1, local times written the European way, days to be done by), `crew-log.jsonl`
(milliseconds since 1970, knows job numbers only) and `surveys.parquet`. The same every time; two rows are broken on
purpose.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import duckdb

ZONE = ZoneInfo("Europe/Madrid")
REQUESTS = 300
START = datetime(2025, 1, 7, 7, tzinfo=UTC)
KINDS = {"Schlagloch": 5, "Straßenlaterne": 3, "Sperrmüll": 10}


class Request(NamedTuple):
    """What happened, in UTC; None for what has not happened."""

    number: str
    job: str
    citizen: str
    kind: str
    opened: datetime
    due: date
    assigned: datetime | None
    started: list[datetime]
    stopped: list[datetime]
    finished: datetime | None
    score: int | None


def invent() -> list[Request]:
    """All requests, by number."""
    chance = random.Random(20250107)  # noqa: S311 - invented data
    return [_request(number, chance) for number in range(1, REQUESTS + 1)]


def _request(number: int, chance: random.Random) -> Request:
    kind = chance.choice(list(KINDS))
    opened = START + timedelta(minutes=chance.randrange(90 * 24 * 60))
    assigned = opened + _hours(chance, 30) if chance.random() < 0.92 else None
    started, stopped = [], []
    clock = assigned
    while clock and chance.random() < 0.95:
        started.append(clock + _hours(chance, 40))
        stopped.append(started[-1] + _hours(chance, 6))
        clock = stopped[-1] if chance.random() < 0.2 else None  # one in five has to be taken up again
    is_finished = bool(stopped) and chance.random() < 0.9
    return Request(
        number=f"R-{number:04d}",
        job=f"J{number * 7 % 997:03d}",
        citizen=f"citizen-{chance.randrange(180):03d}",
        kind=kind,
        opened=opened,
        due=opened.astimezone(ZONE).date() + timedelta(days=KINDS[kind]),
        assigned=assigned,
        started=started,
        stopped=stopped,
        finished=stopped[-1] if is_finished else None,
        score=chance.randrange(1, 6) if is_finished and chance.random() < 0.5 else None,
    )


def _hours(chance: random.Random, mean: float) -> timedelta:
    return timedelta(minutes=1 + round(chance.expovariate(1 / mean) * 60))


def write(folder: Path) -> None:
    """The three tables, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    requests = invent()
    _write_requests(folder / "requests.csv.gz", requests)
    _write_log(folder / "crew-log.jsonl", requests)
    _write_surveys(folder / "surveys.parquet", requests)


def _write_requests(path: Path, requests: list[Request]) -> None:
    lines = ["Nummer;Auftrag;Bürger;Art;Eingang;Frist"]
    for r in requests:
        opened = r.opened.astimezone(ZONE).strftime("%d.%m.%Y %H:%M")
        lines.append(f"{r.number};{r.job};{r.citizen};{r.kind};{opened};{r.due:%d.%m.%Y}")
    lines.insert(100, "R-9001;J998;citizen-001;Schlagloch;31.02.2025 10:00;05.03.2025")
    lines.insert(200, "R-9002;J999;citizen-002;Sperrmüll")
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode("latin-1"), mtime=0))


def _write_log(path: Path, requests: list[Request]) -> None:
    entries: list[tuple[datetime, str, dict[str, object]]] = []
    for r in requests:
        entries += [(r.assigned, "Crew assigned", {"job": r.job})] if r.assigned else []
        entries += [(moment, "Work started", {"job": r.job}) for moment in r.started]
        for moment in r.stopped:
            is_done = moment == r.finished
            entries.append((moment, "Work stopped", {"job": r.job, "done": is_done}))
    entries.sort(key=lambda entry: entry[0])
    with path.open("w", encoding="utf-8") as file:
        for number, (moment, step, details) in enumerate(entries, 1):
            entry = {"n": number, "ts": round(moment.timestamp() * 1000), "step": step, "details": details}
            file.write(json.dumps(entry) + "\n")


def _write_surveys(path: Path, requests: list[Request]) -> None:
    rows = [(r.number, r.finished + timedelta(days=2), r.score) for r in requests if r.finished and r.score]
    with duckdb.connect() as database:
        database.execute("CREATE TABLE surveys (request VARCHAR, answered_at TIMESTAMPTZ, score INTEGER)")
        database.executemany(
            "INSERT INTO surveys VALUES (?, ?, ?)",
            [(n, moment.isoformat(), score) for n, moment, score in rows],
        )
        # a file name can't be a parameter of COPY
        database.execute(f"COPY surveys TO '{path}' (FORMAT parquet)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Invents the tables of a city that does not exist.")
    parser.add_argument("folder", type=Path, help="where to write them; made if it is not there")
    write(parser.parse_args().folder)
