"""`vitiq classify`."""

from __future__ import annotations

from pathlib import Path

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json, read_bytes
from vitiq.cli.streams import STDIO, read_stdin


@click.command("classify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1, 1000), default=5, show_default=True, help="Labels to show.")
@click.option("--compare", is_flag=True, help="Also rebuild the image and let the embedded ViT read it.")
@common.as_json
def command(file: Path, top: int, compare: bool, as_json: bool) -> None:
    """Show what is in the image in FILE (codec generative or generative-mse), without rebuilding it.

    `-` is standard input.
    """
    from vitiq.codecs.transform.labels import make_codec, overlap, read_latents, read_rebuilt  # noqa: PLC0415
    from vitiq.codecs.transform.latent_classifier import load_classifier, top_labels  # noqa: PLC0415
    from vitiq.errors import BitstreamError  # noqa: PLC0415
    from vitiq.models.backbones import load_backbone  # noqa: PLC0415

    data = read_stdin() if file == STDIO else read_bytes(file)
    classifier = load_classifier()
    try:
        codec = make_codec(data)
        reading = read_latents(codec, data, classifier, count_flops=compare)
    except BitstreamError as error:
        raise BitstreamError(f"{file}: {error}") from error
    facts: dict[str, object] = {"file": str(file), "codec": codec.name, "classifier": classifier.weights_sha256[:12]}
    facts["labels"] = _entries(top_labels(reading.logits, classifier.labels, top))
    if compare:
        backbone = load_backbone()
        rebuilt = read_rebuilt(codec, data, backbone, count_flops=True)
        facts |= {"seconds": reading.seconds, "flops": reading.flops}
        facts["rebuilt"] = {
            "backbone": backbone.name,
            "labels": _entries(top_labels(rebuilt.logits, backbone.labels, top)),
            "seconds": rebuilt.seconds,
            "flops": rebuilt.flops,
            "same_top": bool(reading.logits.argmax() == rebuilt.logits.argmax()),
            "top_100_overlap": overlap(reading.logits, rebuilt.logits),
        }
    if as_json:
        print_json(facts)
        return
    for name, share in top_labels(reading.logits, classifier.labels, top):
        click.echo(f"{share:7.1%}  {name}")
    if compare:
        click.echo(f"from the latents: {reading.seconds:.2f} s, {reading.flops / 1e9:.1f} GFLOP")
        click.echo(f"\nthe rebuilt image, read by {backbone.name}:")
        for name, share in top_labels(rebuilt.logits, backbone.labels, top):
            click.echo(f"{share:7.1%}  {name}")
        same = "same" if reading.logits.argmax() == rebuilt.logits.argmax() else "another"
        shared = overlap(reading.logits, rebuilt.logits)
        click.echo(f"from the rebuilt image: {rebuilt.seconds:.2f} s, {rebuilt.flops / 1e9:.1f} GFLOP")
        click.echo(f"{same} top label; {shared:.0%} of the top 100 labels shared")


def _entries(labels: list[tuple[str, float]]) -> list[dict[str, object]]:
    return [{"label": name, "probability": share} for name, share in labels]
