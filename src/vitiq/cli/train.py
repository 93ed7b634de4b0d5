"""`vitiq train`."""

from __future__ import annotations

from pathlib import Path

import click

from vitiq.cli import options as common
from vitiq.cli.options import PathName
from vitiq.cli.progress import ProgressBar
from vitiq.cli.stop import resumable
from vitiq.training.recipes import MODELS, load_recipe

INSTEAD = {
    ("transgan", "begin"): "generator and discriminator have to match: resume a run folder with -o instead",
    ("perceptual", "begin"): "it starts from the synthesis in --codec: give the weights there",
}
"""What to do about an option that is not taken, where it is not just to leave it out."""


@click.command("train")
@click.argument("model", type=click.Choice(list(MODELS)))
@click.option(
    "--data",
    multiple=True,
    required=True,
    type=PathName(path_type=Path),
    help="Folder or .tar of images; may be repeated.",
)
@click.option(
    "-o", "--output", "out", required=True, type=PathName(path_type=Path), help="Run folder; resumed if it exists."
)
@click.option("--config", type=PathName(path_type=Path), help="TOML configuration, or the name of a shipped one.")
@click.option(
    "--teacher",
    multiple=True,
    type=PathName(path_type=Path),
    help="vit: checkpoints of ViT-Ti/16 and DeiT-Ti/16 (the student is initialised from the first); classifier: one.",
)
@click.option(
    "--codec",
    type=PathName(path_type=Path),
    help="context, perceptual, classifier: weights from `vitiq train codec`; the shipped ones if not given.",
)
@click.option(
    "--classifier",
    type=PathName(path_type=Path),
    help="perceptual: weights from `vitiq train classifier` whose features the synthesis uses; none if not given.",
)
@click.option(
    "--begin",
    type=PathName(path_type=Path),
    help="vit, generator, codec, classifier, deblock: initial weights.",
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")
@click.option(
    "--time-limit",
    type=common.NumberRange(min=0),
    metavar="MINUTES",
    help="Stop at a checkpoint after this time; the same command resumes.",
)
@click.option("--smoke", is_flag=True, help="Run only a few steps, as a smoke test.")
@common.quiet
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
    time_limit: float | None,
    smoke: bool,
    quiet: bool,
) -> None:
    """Train an embedded MODEL; a run that was stopped resumes from its last checkpoint."""
    refuse_others(model, {"teacher": teacher, "codec": codec, "classifier": classifier, "begin": begin})
    if "teacher" in MODELS[model].weights and not teacher:
        raise click.UsageError(f"training the {model} needs --teacher PATH (a checkpoint of vit_tiny_patch16_224)")
    if model == "classifier" and len(teacher) > 1:
        raise click.UsageError(f"the classifier learns from one teacher, {len(teacher)} were given")
    limit = None if time_limit is None else 60 * time_limit
    bar = ProgressBar("step", label=model, quiet=quiet)

    def report(done: int, total: int, loss: float) -> None:
        if bar.total is None:
            bar.begin_at(done - 1)
        bar.update(done, total=total, note=f"loss {loss:.3g}")

    try:
        with resumable():
            from vitiq.training.engine import Inputs, train  # noqa: PLC0415

            inputs = Inputs(
                data, out, config, begin=begin, teachers=teacher, codec=codec, classifier=classifier, smoke=smoke
            )
            weights = train(load_recipe(model), inputs, threads=threads, report=report, time_limit=limit)
    finally:
        bar.close()
    if bar.total and bar.done < bar.total:
        click.echo(
            f"stopped by --time-limit after {bar.done:.0f} of {bar.total:.0f} steps: the same command resumes", err=True
        )
    click.echo(str(weights))


def refuse_others(model: str, given: dict[str, object]) -> None:
    """Name options with weights that the model's training would leave unread.

    Raises:
        click.UsageError: there is one.
    """
    for name, value in given.items():
        if value and name not in MODELS[model].weights:
            takes = ", ".join(f"--{option}" for option in sorted(MODELS[model].weights)) or "no weights"
            instead = INSTEAD.get((model, name), f"it takes {takes}")
            raise click.UsageError(f"training the {model} takes no --{name}; {instead}")
