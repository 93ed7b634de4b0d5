"""`vitiq models`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json
from vitiq.cli.info import shown
from vitiq.cli.options import PathName
from vitiq.cli.readable import tame

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
    """Show everything known about a weights file: a listed NAME, or a path.

    Of a path: its format, the sha256 by which .viq files name it, and the metadata that its training wrote.
    """
    stated = about(name)
    if as_json:
        print_json(stated)
        return
    inner = stated.pop("metadata", {})
    rows = {**stated, **(inner if isinstance(inner, dict) else {})}
    wide = max(10, *map(len, rows)) + 2
    for key, value in rows.items():
        if value not in (None, "", (), []):
            click.echo(tame(f"{key:{wide}}{shown(value)}"))


def about(name: str) -> dict[str, object]:
    """What is known of a weights file, by its name or its path.

    Raises:
        UnknownNameError: neither a name nor a file.
        WeightsError: the file is no weights file.
    """
    from vitiq.errors import UnknownNameError  # noqa: PLC0415
    from vitiq.weights.store import model_info  # noqa: PLC0415

    try:
        return metadata(model_info(name))
    except UnknownNameError as error:
        path = Path(name)
        if not path.is_file():
            raise UnknownNameError(f"{error}; or give the path of a weights file") from error
    from vitiq.weights.file import described  # noqa: PLC0415 - torch

    return described(path)


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
