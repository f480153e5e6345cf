"""Every command says what it is for and what it takes."""

from __future__ import annotations

import pytest
from command_line import Throughline

from pipeline.cli.deferred import DeferredCommand
from pipeline.cli.main import app

COMMANDS = (
    "up",
    "run",
    "replay",
    "simulate",
    "demo",
    "journey",
    "explain",
    "status",
    "validate",
    "shadow",
    "prepare",
    "migrate",
    "worker",
    "dlq list",
    "dlq show",
    "dlq replay",
    "identity link",
    "identity unlink",
    "schemas export",
)


def test_without_arguments_all_commands_are_listed(throughline: Throughline) -> None:
    done = throughline()
    for command in COMMANDS:
        assert f" {command.split()[0]} " in done.out + done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_help_that_fits_a_terminal(throughline: Throughline, command: str) -> None:
    done = throughline(*command.split(), "--help")
    assert done.code == 0
    assert f"Usage: throughline {command} " in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert done.err == ""


@pytest.mark.parametrize("command", app.commands)
def test_the_list_says_of_a_command_what_its_own_help_says(command: str) -> None:
    listed = app.commands[command]
    assert isinstance(listed, DeferredCommand)
    assert listed.help == listed.load().help


def test_a_command_that_does_not_exist_is_told_with_the_way_to_the_list(throughline: Throughline) -> None:
    done = throughline("nonsense")
    assert done.code == 2
    assert "No such command 'nonsense'" in done.said
    assert "Try 'throughline --help' for help" in done.said
