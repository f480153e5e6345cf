"""Commands whose modules are imported when they are called, so that `--help` does not wait for Kafka's clients."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand


class DeferredCommand(TyperCommand):
    """Stands for the command or group `name`, which `register` of `module` makes; knows of it what a list shows."""

    def __init__(self, name: str, module: str, help: str) -> None:  # noqa: A002 - typer's word
        super().__init__(name, help=help)
        self._module = module

    def load(self) -> Any:
        """The command itself."""
        made = typer.Typer()
        import_module(self._module).register(made)
        return typer.main.get_group(made).commands[str(self.name)]

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        """What the group invokes is the command of this context: the loaded one."""
        return self.load().make_context(*arguments, **more)
