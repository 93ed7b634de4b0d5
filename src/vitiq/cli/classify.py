"""`vitiq classify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json
from vitiq.cli.options import PathName
from vitiq.cli.streams import STDIO, read_stdin

if TYPE_CHECKING:
    from vitiq.api.labels import Classified, Labels


@click.command("classify")
@click.argument("file", type=PathName(path_type=Path))
@click.option("--top", type=click.IntRange(1, 1000), default=5, show_default=True, help="Number of labels to show.")
@click.option(
    "--compare", is_flag=True, help="Also decode the image and classify it with the embedded ViT; count operations."
)
@common.device
@common.as_json
def command(file: Path, top: int, compare: bool, device: str, as_json: bool) -> None:
    """Show the labels of the image in a .viq FILE.

    For generative and generative-mse they are read from the latents, without decoding the image; for inversion,
    inversion-vector and other neural codecs the embedded ViT classifies the decoded image. `-` is standard input.
    """
    from vitiq.api.labels import classify  # noqa: PLC0415 - slow to import
    from vitiq.errors import VitiqError  # noqa: PLC0415

    try:
        found = classify(read_stdin() if file == STDIO else file, top=top, compare=compare, device=device)
    except VitiqError as error:
        named = "standard input" if file == STDIO else str(file)
        raise type(error)(str(error) if str(error).startswith(f"{named}: ") else f"{named}: {error}") from error
    if as_json:
        print_json(_answer(str(file), found, compare=compare))
        return
    own, rebuilt = found.latents, found.rebuilt
    if own is not None:
        click.echo(f"the latents, read by the classifier {own.network}:")
        _show(own)
        if compare:
            click.echo(f"from the latents: {_cost(own)}")
    if rebuilt is not None:
        why = "" if own else " (no classifier reads the latents of this codec)"
        click.echo(f"{chr(10) if own else ''}the rebuilt image, read by {rebuilt.network}{why}:")
        _show(rebuilt)
        if compare:
            click.echo(f"from the rebuilt image: {_cost(rebuilt)}")
    if found.overlap is not None:
        click.echo(
            f"{'same' if found.same_top else 'another'} top label; {found.overlap:.0%} of the top 100 labels shared"
        )


def _answer(file: str, found: Classified, *, compare: bool) -> dict[str, object]:
    """The JSON object: what was found, and where."""
    read, rebuilt = found.found, found.rebuilt
    source = "rebuilt image" if found.latents is None else "latents"
    answer: dict[str, object] = {"file": file, "codec": found.codec, "read": source, "classifier": read.network}
    answer["labels"] = _entries(read)
    if compare:
        answer |= {"seconds": read.seconds, "flops": read.flops}
    if found.latents is not None and rebuilt is not None:
        answer["rebuilt"] = {
            "backbone": rebuilt.network,
            "labels": _entries(rebuilt),
            "seconds": rebuilt.seconds,
            "flops": rebuilt.flops,
            "same_top": found.same_top,
            "top_100_overlap": found.overlap,
        }
    return answer


def _cost(read: Labels) -> str:
    return f"{read.seconds:.2f} s, {read.flops / 1e9:.1f} GFLOP"


def _show(read: Labels) -> None:
    for name, share in read.labels:
        click.echo(f"{share:7.1%}  {name}")


def _entries(read: Labels) -> list[dict[str, object]]:
    return [{"label": name, "probability": share} for name, share in read.labels]
