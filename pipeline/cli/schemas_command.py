"""`throughline schemas export`: the contracts as JSON Schema and AsyncAPI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import out
from schemas.export import export


def export_schemas(
    to: Annotated[Path, typer.Option(help="Folder to write to; made if missing.")] = Path("schemas-export"),
) -> None:
    """Write JSON Schema of every contract and an AsyncAPI 3 document of the public topics."""
    for path in export(to):
        out.print(str(path), markup=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The public contracts.", no_args_is_help=True)
    group.command("export")(export_schemas)
    app.add_typer(group, name="schemas")
