"""`vitiq info`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json, say
from vitiq.cli.options import PathName
from vitiq.cli.readable import tame
from vitiq.cli.streams import STDIO, read_stdin

if TYPE_CHECKING:
    from vitiq.codecs.base import FileInfo


@click.command("info")
@click.argument("files", nargs=-1, required=True, type=PathName(path_type=Path))
@common.as_json
def command(files: tuple[Path, ...], as_json: bool) -> None:
    """Show what is in compressed FILES: codec, size, quality, parts. `-` is standard input."""
    from vitiq.errors import VitiqError  # noqa: PLC0415 - slow to import

    answer: list[dict[str, object]] = []
    failed = False
    for file in files:
        try:
            info = inspect_file(file)
        except VitiqError as error:
            if len(files) == 1:
                raise
            say(f"vitiq: {error}", err=True)
            failed = True
            continue
        if as_json:
            answer.append(to_json(file, info))
        else:
            click.echo(tame(text(file, info)))
    if as_json:
        print_json(answer[0] if len(files) == 1 else answer)
    if failed:
        sys.exit(1)


def inspect_file(file: Path) -> FileInfo:
    """What is in a file.

    Raises:
        InputError, BitstreamError: it cannot be read, or no codec knows it; names the file.
    """
    from vitiq.api.coding import content_of, inspect  # noqa: PLC0415
    from vitiq.errors import VitiqError  # noqa: PLC0415

    data = read_stdin() if file == STDIO else content_of(file)
    try:
        return inspect(data)
    except VitiqError as error:
        raise type(error)(f"{'standard input' if file == STDIO else file}: {error}") from error


def to_json(file: Path, info: FileInfo) -> dict[str, object]:
    """What is in a file, as JSON values."""
    return {
        "file": str(file),
        "codec": info.codec,
        "width": info.width,
        "height": info.height,
        "bytes": info.bytes,
        "bpp": info.bpp,
        "quality": info.quality,
        "weights_sha256_prefix": info.weights,
        **info.details,
        "sections": dict(info.sections),
        "notes": list(info.notes),
    }


def text(file: Path, info: FileInfo) -> str:
    """What is in a file, for people: a line a property."""
    from vitiq.api.coding import codec  # noqa: PLC0415

    rows: list[tuple[str, Any]] = [
        ("codec", f"{info.codec} ({codec(info.codec).title})"),
        ("image", f"{info.width}×{info.height} pixels"),
        ("size", f"{info.bytes} bytes, {info.bpp:.4f} bits per pixel"),
        ("quality", "not stated in the file" if info.quality is None else f"{info.quality:.10g}"),
    ]
    if info.weights:
        rows.append(("weights", f"sha256 {info.weights}…"))
    rows += [(key.replace("_", " "), shown(value)) for key, value in info.details.items() if value is not None]
    if len(info.sections) > 1:
        rows.append(("parts", ", ".join(f"{name} {size} bytes" for name, size in info.sections.items())))
    rows += [("note", note) for note in info.notes]
    wide = max(len(name) for name, _ in rows) + 2
    return "\n".join([tame(str(file), line=True), *(f"  {name:{wide}}{value}" for name, value in rows)])


def shown(value: object) -> str:
    """A value as people write it."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
