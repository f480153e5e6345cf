"""`throughline prepare` and `migrate`: topics and tables as they have to be, before a worker starts."""

from __future__ import annotations

import typer

from pipeline.cli.console import out
from pipeline.engine.topics import ensure_topics
from pipeline.settings import read_settings
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate as apply_migrations


def prepare() -> None:
    """Create or verify the topics and apply the warehouse's migrations."""
    settings = read_settings()
    created = ensure_topics(settings.kafka_admin, settings.topology.specs())
    out.print(f"{len(settings.topology.specs())} topics as declared, {len(created)} of them new")
    migrate()


def migrate() -> None:
    """Bring the warehouse's tables to the newest version."""
    warehouse = Warehouse.of(read_settings())
    try:
        applied = apply_migrations(warehouse)
    finally:
        warehouse.close()
    out.print(
        f"database {warehouse.database}: " + (", ".join(applied) if applied else "nothing to apply"),
        soft_wrap=True,
    )


def register(app: typer.Typer) -> None:
    app.command()(prepare)
    app.command()(migrate)
