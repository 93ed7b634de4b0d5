"""`vitiq models`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json
from vitiq.cli.options import PathName

if TYPE_CHECKING:
    from vitiq.weights.store import ModelInfo


@click.group("models")
def command() -> None:
    """List, fetch and describe weights files."""


def _complete_model(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from vitiq.weights.store import list_models  # noqa: PLC0415

    return [info.name for info in list_models() if info.name.startswith(incomplete)]


def metadata(info: ModelInfo) -> dict[str, object]:
    """What the manifest says of a weights file, where it is, and whether it is here."""
    return {**asdict(info), "embedded": info.embedded, "path": str(info.path), "present": info.path.exists()}


@command.command("list")
@common.as_json
def list_(as_json: bool) -> None:
    """List all known weights files, shipped or to fetch."""
    from vitiq.weights.store import list_models  # noqa: PLC0415

    entries = [metadata(info) for info in list_models()]
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        state = "embedded" if entry["embedded"] else ("fetched" if entry["present"] else "to fetch")
        click.echo(f"{entry['name']!s:28}{state:12}{entry['purpose']}")


@command.command("info")
@click.argument("name", shell_complete=_complete_model)
@common.as_json
def info(name: str, as_json: bool) -> None:
    """Show everything known about a weights file."""
    from vitiq.weights.store import model_info  # noqa: PLC0415

    stated = metadata(model_info(name))
    if as_json:
        print_json(stated)
        return
    for key, value in stated.items():
        if isinstance(value, bool):
            text = "yes" if value else "no"
        else:
            text = ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
        if text:
            click.echo(f"{key:12}{text}")


@command.command("fetch")
@click.argument("name", shell_complete=_complete_model)
@click.option("--sha256", help="Hash to accept if none is pinned.")
@click.option(
    "--from",
    "source",
    type=PathName(path_type=Path),
    help="Use a file downloaded elsewhere (no network); what it needs (models info NAME: requires) beside it.",
)
def fetch(name: str, sha256: str | None, source: Path | None) -> None:
    """Download a weights file, checked against its hash, into $VITIQ_CACHE or ~/.cache/vitiq."""
    from vitiq.weights.store import fetch as fetch_model  # noqa: PLC0415

    click.echo(str(fetch_model(name, sha256=sha256, source=source)))
