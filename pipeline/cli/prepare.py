"""`throughline prepare` and `migrate`: topics and tables as they have to be, before a worker starts."""

from __future__ import annotations

import typer

from pipeline.cli.console import out
from pipeline.engine.clients import admin_options
from pipeline.engine.topics import ensure_topics
from pipeline.settings import Settings
from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.migrate import migrate as apply_migrations


def prepare() -> None:
    """Create or verify the topics and apply the warehouse's migrations."""
    settings = Settings()
    created = ensure_topics(admin_options(settings.kafka, settings.kafka_options), settings.topology.specs())
    out.print(f"{len(settings.topology.specs())} topics as declared, {len(created)} of them new")
    migrate()


def migrate() -> None:
    """Bring the warehouse's tables to the newest version."""
    warehouse = Warehouse.of(Settings())
    try:
        applied = apply_migrations(warehouse)
    finally:
        warehouse.close()
    out.print(f"database {warehouse.database}: " + (", ".join(applied) if applied else "nothing to apply"))


def register(app: typer.Typer) -> None:
    app.command()(prepare)
    app.command()(migrate)
