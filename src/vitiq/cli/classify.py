"""`vitiq classify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json
from vitiq.cli.streams import STDIO, read_stdin

if TYPE_CHECKING:
    from vitiq.api.labels import Labels


@click.command("classify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1, 1000), default=5, show_default=True, help="Labels to show.")
@click.option("--compare", is_flag=True, help="Also rebuild the image and let the embedded ViT read it.")
@common.as_json
def command(file: Path, top: int, compare: bool, as_json: bool) -> None:
    """Show what is in the image in FILE (codec generative or generative-mse), without rebuilding it.

    `-` is standard input.
    """
    from vitiq.api.labels import classify  # noqa: PLC0415 - slow to import
    from vitiq.errors import BitstreamError  # noqa: PLC0415

    try:
        found = classify(read_stdin() if file == STDIO else file, top=top, compare=compare)
    except BitstreamError as error:
        raise BitstreamError(f"{'standard input' if file == STDIO else file}: {error}") from error
    own, rebuilt = found.latents, found.rebuilt
    if as_json:
        answer: dict[str, object] = {"file": str(file), "codec": found.codec, "classifier": own.network}
        answer["labels"] = _entries(own)
        if rebuilt is not None:
            answer |= {"seconds": own.seconds, "flops": own.flops}
            answer["rebuilt"] = {
                "backbone": rebuilt.network,
                "labels": _entries(rebuilt),
                "seconds": rebuilt.seconds,
                "flops": rebuilt.flops,
                "same_top": found.same_top,
                "top_100_overlap": found.overlap,
            }
        print_json(answer)
        return
    _show(own)
    if rebuilt is not None:
        click.echo(f"from the latents: {own.seconds:.2f} s, {own.flops / 1e9:.1f} GFLOP")
        click.echo(f"\nthe rebuilt image, read by {rebuilt.network}:")
        _show(rebuilt)
        click.echo(f"from the rebuilt image: {rebuilt.seconds:.2f} s, {rebuilt.flops / 1e9:.1f} GFLOP")
        click.echo(
            f"{'same' if found.same_top else 'another'} top label; {found.overlap:.0%} of the top 100 labels shared"
        )


def _show(read: Labels) -> None:
    for name, share in read.labels:
        click.echo(f"{share:7.1%}  {name}")


def _entries(read: Labels) -> list[dict[str, object]]:
    return [{"label": name, "probability": share} for name, share in read.labels]
