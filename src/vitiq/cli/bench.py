"""`vitiq bench`: studies of any codecs, and what is kept of them."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vitiq.cli import options as common
from vitiq.cli.bench_manage import clean, export, ls, means_table, show
from vitiq.cli.bench_slurm import submit, worker
from vitiq.cli.options import PathName
from vitiq.cli.progress import duration
from vitiq.cli.stop import resumable
from vitiq.cli.study_options import StudyBar, end_study, page_of, study_options, workers_of
from vitiq.text import escape_markdown, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitiq.analysis.comparison import Comparison
    from vitiq.analysis.refusals import Refusals
    from vitiq.evaluation.bench import BenchConfig, Estimate
    from vitiq.evaluation.metric_spec import MetricSpec
    from vitiq.evaluation.presets import Finished

STUDY = "study"
"""The subcommand that stands where none is named."""


class BenchGroup(click.Group):
    """`vitiq bench IMAGES…` is a study; `vitiq bench ls OUT` and its like look after what is there."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without the name of a subcommand, all is a study's."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [STUDY, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """How a study is asked for, and the subcommands."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] IMAGES... -o OUT")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...", "       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Options of a study, then the subcommands."""
        study = self.commands[STUDY]
        click.Command.format_options(study, click.Context(study, info_name=STUDY, **_settings(ctx)), formatter)
        self.format_commands(ctx, formatter)


def _settings(ctx: click.Context) -> dict[str, Any]:
    return {"help_option_names": ctx.help_option_names}


@click.group(cls=BenchGroup)
def command() -> None:
    """Compare codecs at many rates on IMAGES: files, folders, or a study file (.toml).

    A codec is written NAME[OPTION=VALUE,…]@RATES: jpeg@10:90:10, avif[speed=6]@30,50, generative@bpp=0.1,0.5,
    webp@bytes=1500; without rates, a codec's default qualities are used. OUT keeps all results: a new
    metric needs no encoding, a changed codec affects only itself, and the same command resumes.
    """


@command.command(STUDY, hidden=True)
@click.argument("images", nargs=-1, type=PathName(path_type=Path))
@click.option(
    "-c", "--codec", "codecs", multiple=True, type=common.CODECS,
    help="Codec with rates; may be repeated or comma-separated.",
)  # fmt: skip
@click.option("-o", "--output", "out", required=True, type=PathName(path_type=Path), help="Output folder.")
@click.option(
    "--precomputed",
    multiple=True,
    metavar="LABEL=FOLDER[,CSV]",
    help="Reconstructions made elsewhere, scored like those of a codec; columns of the CSV: image,bytes[,rate].",
)
@click.option(
    "--anchors",
    multiple=True,
    type=PathName(path_type=Path),
    help="Published table to compare with, in the report too (CompressAI JSON, Cool-Chic TSV, …); may be repeated.",
)
@click.option("--anchor", help="Curve that BD-rates are relative to; the first if not given.")
@click.option("--max-failures", type=click.IntRange(min=0), help="Stop the study after more failed tasks than this.")
@click.option(
    "--dry-run", is_flag=True, help="Check everything, print what would be done and how long it would take, and stop."
)
@click.option(
    "--plan",
    "plan_only",
    is_flag=True,
    help="Write the study to OUT for `bench submit` and `bench worker`, without running it.",
)
@study_options
def study(  # noqa: PLR0917
    images: tuple[Path, ...],
    codecs: tuple[str, ...],
    out: Path,
    precomputed: tuple[str, ...],
    anchors: tuple[Path, ...],
    anchor: str | None,
    max_failures: int | None,
    dry_run: bool,
    plan_only: bool,
    **options: Any,
) -> None:
    """A study of codecs on images."""
    from vitiq.evaluation import bench as work  # noqa: PLC0415
    from vitiq.evaluation.store import Store  # noqa: PLC0415

    config = config_of(images, codecs, options | {"precomputed": precomputed, "anchors": anchors, "anchor": anchor})
    with resumable(), StudyBar(quiet=options["quiet"]) as bar, workers_of(options) as workers:
        if dry_run:
            show_estimate(work.estimate(config, out, workers), out, as_json=options["as_json"])
            return
        planned = work.plan_bench(config, out, workers)
        if plan_only:
            Store(out).begin(planned)
            click.echo(f"{planned.name}: {plural(len(planned), 'task')}")
            return
        done = work.run_bench(planned, out, workers, bar, max_failures=max_failures, details=False)
        page = page_of(done.study, out, bar) if any(record.bytes for record in done.records) else None
    summary = study_summary(out, done)
    end_study(out, done, page, summary, as_json=options["as_json"], quiet=options["quiet"])


def config_of(images: tuple[Path, ...], codecs: tuple[str, ...], options: dict[str, Any]) -> BenchConfig:
    """The request of the options, those of study files among the images added.

    Raises:
        InputError: what is written is not of the grammar.
    """
    from vitiq.codecs.spec import on_device, parse_codecs  # noqa: PLC0415
    from vitiq.evaluation.bench import BenchConfig, read_study_file  # noqa: PLC0415
    from vitiq.evaluation.metric_spec import MetricSpec  # noqa: PLC0415
    from vitiq.evaluation.plan import Faults, check_keep  # noqa: PLC0415

    faults = Faults()
    files = [path for path in images if path.suffix.lower() == ".toml"]
    config = BenchConfig(
        images=tuple(path for path in images if path not in files),
        precomputed=options["precomputed"],
        anchors=options["anchors"],
        anchor=options["anchor"],
        metrics=MetricSpec(options["metrics"], options["weights"], options["panel"], options["device"]),
    )
    with faults.gathered():
        config = replace(config, keep=check_keep(options["keep"]))
    for text in codecs:
        with faults.gathered():
            config = replace(config, codecs=(*config.codecs, *parse_codecs(text)))
    for path in files:
        with faults.gathered():
            read = read_study_file(path)
            config = replace(
                config,
                images=(*config.images, *read.images),
                codecs=(*config.codecs, *read.codecs),
                precomputed=(*config.precomputed, *read.precomputed),
                anchors=(*config.anchors, *read.anchors),
                anchor=config.anchor or read.anchor,
                metrics=_metrics(config.metrics, read.metrics),
                keep=read.keep if options["keep"] == "bitstreams,images" else config.keep,
            )
    with faults.gathered():
        config = replace(config, codecs=tuple(on_device(spec, options["device"]) for spec in config.codecs))
    if not config.images and not faults.found:
        raise click.UsageError("name images, folders or a study file")
    faults.refuse()
    return config


def _metrics(asked: MetricSpec, read: MetricSpec) -> MetricSpec:
    """The metrics of a study file; what the command names itself counts instead."""
    return replace(
        asked,
        names=read.names if asked.names == "default" else asked.names,
        weights=asked.weights or read.weights,
        panel=asked.panel or read.panel,
    )


def show_estimate(found: Estimate, out: Path, *, as_json: bool) -> None:
    """What a study would do, on stdout."""
    from vitiq.cli.common import print_json  # noqa: PLC0415

    if as_json:
        answer = {"images": found.images, "tasks": found.tasks, "kept": found.kept, "seconds": found.seconds}
        print_json(answer | {"files": dict(found.files), "problems": list(found.problems)})
        return
    kept = f", {found.kept} more are done" if found.kept else ""
    click.echo(f"{plural(found.tasks, 'task')} on {plural(found.images, 'image')}{kept}")
    if found.tasks and found.seconds is not None:
        click.echo(f"about {duration(found.seconds)}, estimated from one task of each codec on one image")
    for folder, count in found.files.items():
        click.echo(f"{out / folder}: {plural(count, 'file')}")
    for problem in found.problems:
        click.echo(f"vitiq: {problem}", err=True)


def study_summary(out: Path, done: Finished) -> str:
    """Means a codec and rate, and BD-rates against the study's anchor where there are two curves."""
    from vitiq.analysis.points import codecs_of, metrics_of  # noqa: PLC0415
    from vitiq.cli.bd import refusals_of  # noqa: PLC0415
    from vitiq.evaluation.points import points_beside  # noqa: PLC0415
    from vitiq.evaluation.standing import standing  # noqa: PLC0415

    parts = [means_table(done.records, standing(done.study, done.records).lines())]
    published = [point.to_point() for point in done.study.published]
    if not published and all(record.error is not None for record in done.records):
        return parts[0]
    gathered = points_beside({out: done.records}, published)
    labels = codecs_of(gathered.points)
    if len(labels) > 1:
        against = gathered.label(done.study.anchor) if done.study.anchor else labels[0]
        found = gathered.compared(against, gathered.metrics(None))
        head = ["| codec | metric | mean curve | mean of images | range |", "|---|---|---:|---:|---|"]
        parts += [f"\n## BD-rate against {escape_markdown(against)}\n", *(head if found else ())]
        parts += [bd_row(one, refusals_of(found)) for one in found]
        parts += bd_notes(found)
        for label in [label for label in labels if label not in {against, *(row.codec for row in found)}]:
            own, its = (", ".join(metrics_of([p for p in gathered.points if p.codec == c])) for c in (against, label))
            said = f"{label} has {its or 'no metric'}, {against} has {own or 'none'}: nothing to compare."
            parts.append(f"\n{escape_markdown(said)}")
        parts.append(f"\nMore, and other anchors: `vitiq bd {shlex.quote(str(out))} --anchor …`.")
    return "\n".join(parts)


def bd_row(found: Comparison, refusals: Refusals) -> str:
    """The BD-rates of a curve for one metric, as a row of a table."""
    from vitiq.cli.bd import mean_text, rate_text, span_text  # noqa: PLC0415

    span = span_text(found) + (f", {plural(found.images, 'image')}" if found.images and not found.refused else "")
    cells = (escape_markdown(found.codec), found.metric, rate_text(found, refusals), mean_text(found), span)
    return f"| {' | '.join(cells)} |"


def bd_notes(found: Sequence[Comparison]) -> list[str]:
    """What a reader must know of BD-rates, each note once with the metrics that it is of."""
    from vitiq.cli.bd import note_text, refusals_of, table_notes  # noqa: PLC0415

    metrics: dict[tuple[str, str], list[str]] = {}
    for one in found:
        for note in one.notes:
            metrics.setdefault((one.codec, note), []).append(one.metric)
    every = len({one.metric for one in found})
    lines = table_notes(found, refusals_of(found))
    for (codec, note), own in metrics.items():
        lines.append(note_text(codec, note) + ("" if len(own) == every else f" ({', '.join(own)})"))
    return ["", *lines] if lines else []


for sub in (ls, show, clean, export, submit, worker):
    command.add_command(sub)
