"""One word, one meaning: an option that several commands have is the same option in each of them."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from vitiq.cli.main import COMMANDS, cli

SHARED = (
    "--metrics", "--weights", "--panel", "--jobs", "--json", "--quiet", "--force", "--study", "--option", "--quality",
    "--bytes", "--bpp",
)  # fmt: skip
"""Options that more than one command has."""
OWN = {("vitiq bench worker", "--jobs")}
"""Those of another default: a worker's share is done on one core unless more were asked for."""


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    for sub in getattr(command, "commands", {}).values():
        yield from commands(sub, f"{name} {sub.name}")


def every() -> list[tuple[str, click.Command]]:
    context = click.Context(cli)
    found = [(name, cli.get_command(context, name)) for name in COMMANDS]
    return [pair for name, one in found if one is not None for pair in commands(one, f"vitiq {name}")]


@pytest.mark.parametrize("name", SHARED)
def test_an_option_is_defined_once(name: str) -> None:
    found = {
        command: (option.help, option.type.name, option.multiple, option.is_flag, str(option.default))
        for command, one in every()
        for option in one.params
        if isinstance(option, click.Option) and name in option.opts and (command, name) not in OWN
    }
    assert len(found) > 1
    assert len(set(found.values())) == 1, found
