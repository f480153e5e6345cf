"""Writes the dashboards: `python -m grafana.build`. Run it after every change of their code; a test compares."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.identity import identity
from grafana.live_overview import live_overview
from grafana.promise_ledger import promise_ledger
from grafana.stalls import stalls

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS: dict[str, Callable[[], Any]] = {
    "identity": identity,
    "live-overview": live_overview,
    "promise-ledger": promise_ledger,
    "stalls": stalls,
}


def encoded(name: str) -> str:
    """The dashboard as the JSON that Grafana provisions."""
    return json.dumps(DASHBOARDS[name](), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write every dashboard to `grafana/dashboards/`."""
    FOLDER.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(encoded(name), encoding="utf-8")


if __name__ == "__main__":
    main()
