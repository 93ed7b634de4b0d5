"""`vitiq train`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from vitiq.cli.stop import resumable


@click.command("train")
@click.argument("model", type=click.Choice(["vit", "generator", "codec", "perceptual", "classifier"]))
@click.option("--data", multiple=True, required=True, type=click.Path(path_type=Path), help="Folder or .tar of images.")
@click.option(
    "-o", "--output", "out", required=True, type=click.Path(path_type=Path), help="Run folder; resumed if it exists."
)
@click.option("--config", type=click.Path(path_type=Path), help="TOML configuration; the shipped one if not given.")
@click.option(
    "--teacher",
    multiple=True,
    type=click.Path(path_type=Path),
    help="vit: checkpoints of ViT-Ti/16 and DeiT-Ti/16, the student starts from the first; classifier: one.",
)
@click.option(
    "--codec",
    type=click.Path(path_type=Path),
    help="perceptual, classifier: weights of `vitiq train codec`; those that ship if not given.",
)
@click.option(
    "--classifier",
    type=click.Path(path_type=Path),
    help="perceptual: weights of `vitiq train classifier` whose features the synthesis aggregates; none if not given.",
)
@click.option(
    "--begin", type=click.Path(path_type=Path), help="vit, generator, codec, classifier: weights to start from."
)
@click.option("--threads", type=int, help="CPU threads.")
@click.option("--smoke", is_flag=True, help="A few steps, to see that everything works.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(  # noqa: PLR0917
    model: str,
    data: tuple[Path, ...],
    out: Path,
    config: Path | None,
    teacher: tuple[Path, ...],
    codec: Path | None,
    classifier: Path | None,
    begin: Path | None,
    threads: int | None,
    smoke: bool,
    quiet: bool,
) -> None:
    """Train an embedded MODEL again; a run that was stopped goes on from its last checkpoint."""
    from tqdm import tqdm  # noqa: PLC0415

    bar = tqdm(desc=model, disable=quiet, file=sys.stderr, unit="step")

    def report(done: int, total: int, loss: float) -> None:
        bar.total = total
        bar.set_postfix(loss=f"{loss:.3g}", refresh=False)
        bar.update(done - bar.n)

    try:
        if model in {"vit", "classifier"} and not teacher:
            raise click.UsageError(f"training the {model} needs --teacher PATH (a checkpoint of vit_tiny_patch16_224)")
        if model == "classifier" and len(teacher) > 1:
            raise click.UsageError(f"the classifier learns from one teacher, {len(teacher)} were given")
        with resumable():
            if model == "vit":
                from vitiq.training.vit import train_vit  # noqa: PLC0415

                weights = train_vit(
                    config, data, teacher, out, begin=begin, smoke=smoke, threads=threads, report=report
                )
            elif model == "codec":
                from vitiq.training.codec import train_codec  # noqa: PLC0415

                weights = train_codec(config, data, out, begin=begin, smoke=smoke, threads=threads, report=report)
            elif model == "classifier":
                from vitiq.codecs.transform.networks.embedded import WEIGHTS  # noqa: PLC0415
                from vitiq.training.classifier import train_classifier  # noqa: PLC0415

                given = codec or WEIGHTS
                weights = train_classifier(
                    config, data, teacher[0], given, out, begin=begin, smoke=smoke, threads=threads, report=report
                )
            elif model == "perceptual":
                from vitiq.codecs.transform.networks.embedded import WEIGHTS  # noqa: PLC0415
                from vitiq.training.perceptual import train_perceptual  # noqa: PLC0415

                start = codec or WEIGHTS
                weights = train_perceptual(
                    config, data, start, out, classifier=classifier, smoke=smoke, threads=threads, report=report
                )
            else:
                from vitiq.training.generator import train_generator  # noqa: PLC0415

                weights = train_generator(config, data, out, begin=begin, smoke=smoke, threads=threads, report=report)
    finally:
        bar.close()
    click.echo(str(weights))
