"""`vitiq score`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json, report_problems, say_notes
from vitiq.cli.options import PathName
from vitiq.cli.progress import ProgressBar
from vitiq.cli.stop import resumable
from vitiq.cli.streams import STDIN, STDIO
from vitiq.errors import InputError
from vitiq.signals import undisturbed
from vitiq.text import reasons_text

if TYPE_CHECKING:
    from vitiq.evaluation.aggregate import Aggregate
    from vitiq.evaluation.metric_spec import MetricSpec
    from vitiq.evaluation.scoring import Scored
    from vitiq.metrics.base import Metric

    ScorePairs = Callable[[Sequence[tuple[Path, Path]]], Generator[Scored]]
    AddScored = Callable[[Scored], object]


@click.command("score")
@click.argument("reference", type=PathName(path_type=Path))
@click.argument("distorted", type=PathName(path_type=Path), required=False)
@common.scoring
@click.option(
    "--map", "maps", type=PathName(path_type=Path), help="Write the semantic error map to this .png, or folder."
)
@click.option(
    "--out",
    type=PathName(path_type=Path),
    help="Table with one row per pair, .csv or .parquet; the same command resumes.",
)
@common.jobs
@common.as_json
@click.option("--details", is_flag=True, help="With --json: include the data behind a score, such as the labels.")
@common.force
@common.quiet
def command(  # noqa: PLR0917
    reference: Path,
    distorted: Path | None,
    metrics: str,
    weights: Path | None,
    panel: tuple[Path, ...],
    maps: Path | None,
    out: Path | None,
    jobs: int | None,
    as_json: bool,
    details: bool,
    device: str,
    force: bool,
    quiet: bool,
) -> None:
    """Score DISTORTED against REFERENCE: two images, or two folders. With REFERENCE alone: no-reference metrics.

    Folders are paired by relative path, or by relative stem if the suffixes differ. Images without a partner and
    broken files are listed and the others scored; the exit code is then 1, as it is if a metric that was named
    explicitly is undefined. Files of any codec (.viq, .jxl, …) are decoded; `-` is standard input. For folders, stdout
    gets a summary: mean, standard deviation and 95 % interval of the mean of every metric, and the metrics of whole
    sets.

    If only metrics of sets are named (-m fid,kid), all images of both folders are used, whatever their names;
    either side may then be a statistics file (.npz) of `vitiq stats`, pytorch-fid or clean-fid.
    """
    from vitiq.cli.score_answer import JsonAnswer, TextAnswer  # noqa: PLC0415
    from vitiq.cli.score_maps import map_drawn, targets_of  # noqa: PLC0415
    from vitiq.evaluation.aggregate import Aggregate  # noqa: PLC0415
    from vitiq.evaluation.metric_spec import MetricSpec  # noqa: PLC0415
    from vitiq.evaluation.pairs import pair_up  # noqa: PLC0415
    from vitiq.evaluation.scoring import score_pairs  # noqa: PLC0415
    from vitiq.evaluation.sets import STATISTICS, need_no_pairs  # noqa: PLC0415

    if details and not as_json:
        raise click.UsageError("--details adds to the JSON: give --json too")
    reference, distorted = from_streams(reference, distorted, once=out is None and maps is None)
    distorted, metrics, single = two_sides(reference, distorted, metrics, maps)
    sides = (reference, distorted)
    spec = MetricSpec(metrics, weights, panel, device)
    chosen = spec.make()
    if need_no_pairs(chosen) and any(side.is_dir() or side.suffix == STATISTICS for side in sides):
        if out is not None or maps is not None:
            raise InputError(f"--out and --map need metrics of pairs, {metrics!r} has none")
        score_unpaired(reference, distorted, spec, jobs=jobs, as_json=as_json, quiet=quiet)
        return
    if STATISTICS in {side.suffix for side in sides}:
        raise InputError(f"metrics {metrics!r} given, a statistics file holds no images; name one such as -m fid")
    check_maps(maps, sides)
    aggregate = Aggregate(chosen)
    pairing = pair_up(reference, distorted)
    folders, pairs, problems = reference.is_dir(), pairing.pairs, pairing.problems
    targets = targets_of(pairs, maps, reference if folders else None, pairing.images, problems)
    if not folders and not aggregate.names:
        raise InputError(f"metrics {metrics!r} given, they compare sets; give two folders of images")
    with ExitStack() as stack:
        score, add_row = stack.enter_context(
            recorded(partial(score_pairs, spec=spec, jobs=jobs, sets=folders), out, chosen, pairs, force=force)
        )
        answer = stack.enter_context(
            JsonAnswer(details=details, alone=single) if as_json else TextAnswer(folders, alone=single)
        )
        bar = stack.enter_context(ProgressBar("pair", total=len(pairs), quiet=quiet or len(pairs) < 2))
        notes = NotesOnce(quiet=quiet)
        work = stack.enter_context(closing(score(pairs)))
        for scored in work:
            bar.advance(note=scored.distorted.name, kept=scored.kept)
            notes(scored, bar)
            if scored.problem is not None:
                problems.append(scored.problem)
                continue
            with undisturbed():
                aggregate.add(scored)
                answer.pair(scored)
                add_row(scored)
            if target := targets.get((scored.reference, scored.distorted)):
                problems += map_drawn(scored, target, spec, force=force)
        bar.close()
        problems += undefined_by_name(aggregate, metrics)
        answer.end(aggregate if folders and aggregate.pairs else None, problems)
    report_problems(problems)


class NotesOnce:
    """What reading the images of pairs changed, on stderr: a line an image and change, however many pairs it is in."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._said: set[tuple[Path, tuple[str, ...]]] = set()

    def __call__(self, scored: Scored, bar: ProgressBar) -> None:
        """Of one more pair, past the progress bar."""
        for path, notes in zip((scored.reference, scored.distorted), scored.notes, strict=True):
            if notes and (path, notes) not in self._said:
                self._said.add((path, notes))
                bar.clear()
                say_notes(path, notes, quiet=self._quiet)


def from_streams(reference: Path, distorted: Path | None, *, once: bool) -> tuple[Path, Path | None]:
    """The sides, with the device that gives standard input in place of `-`.

    Args:
        once: whether each file is read once, as all that a pipe allows.

    Raises:
        click.UsageError: standard input on both sides, or where it would be read again.
    """
    if STDIO not in {reference, distorted}:
        return reference, distorted
    if reference == distorted:
        raise click.UsageError("standard input given on both sides, and it can be read once: name a file for one")
    if not once:
        raise click.UsageError("--out and --map read the images again and need files, standard input given")
    if reference == STDIO:
        return STDIN, distorted
    return reference, STDIN


def two_sides(reference: Path, distorted: Path | None, metrics: str, maps: Path | None) -> tuple[Path, str, bool]:
    """The second side, the metrics, and whether one image was given: then it stands on both sides.

    Raises:
        InputError: a metric or a map that needs two images.
    """
    from vitiq.evaluation.sets import STATISTICS, metric_of_statistics  # noqa: PLC0415
    from vitiq.metrics.alone import names_alone  # noqa: PLC0415

    if distorted is not None:
        statistics = metrics == "default" and STATISTICS in {reference.suffix, distorted.suffix}
        return distorted, metric_of_statistics((reference, distorted)) if statistics else metrics, False
    if maps is not None:
        raise InputError("--map shows what was lost between two images, one given; give a second one")
    return reference, names_alone(metrics), True


def check_maps(maps: Path | None, sides: tuple[Path, Path]) -> None:
    """Refuse names of maps before any work.

    Raises:
        InputError: a map that would be no PNG, or that would take the place of an image.
    """
    from vitiq.files import same_file  # noqa: PLC0415
    from vitiq.image.io import named_as_image  # noqa: PLC0415

    if maps is not None and maps.suffix != ".png" and named_as_image(maps):
        raise InputError(f"{maps}: a map is a PNG; give a name that ends with .png, or a folder")
    taken = next((side for side in sides if maps is not None and same_file(maps, side)), None)
    if taken is not None:
        raise InputError(f"{maps}: is the input {taken} itself; give another name for the map")


def undefined_by_name(aggregate: Aggregate, metrics: str) -> list[str]:
    """One line for each metric that was asked for by name and is not defined for a pair, with the reasons."""
    from vitiq.metrics.spec import named_in  # noqa: PLC0415

    lines = []
    for name, reasons in aggregate.undefined.items():
        if named_in(metrics, name):
            of = f" for {reasons.total()} of {len(aggregate.pairs)} pairs" if len(aggregate.pairs) > 1 else ""
            lines.append(f"{name} is not defined{of}: {reasons_text(reasons)}")
    return lines


@contextmanager
def recorded(
    score: ScorePairs, out: Path | None, metrics: Sequence[Metric], pairs: Sequence[tuple[Path, Path]], *, force: bool
) -> Iterator[tuple[ScorePairs, AddScored]]:
    """Scoring that resumes a stopped run, and what takes a row of the table `out`, if there is one.

    Raises:
        InputError: a table of another format, or another file that is there already, unless `force`.
    """
    if out is None:
        yield score, lambda _: None
        return
    from vitiq.evaluation.pair_store import open_pairs, resumed  # noqa: PLC0415
    from vitiq.evaluation.table import check_table, open_table  # noqa: PLC0415
    from vitiq.metrics.base import PairMetric  # noqa: PLC0415

    names = [metric.name for metric in metrics if isinstance(metric, PairMetric)]
    check_table(out, names, pairs, force=force)
    with resumable(), open_pairs(out, metrics) as store, open_table(out, names) as add_row:
        yield partial(resumed, store=store, score=score), add_row


def score_unpaired(
    reference: Path, distorted: Path, spec: MetricSpec, *, jobs: int | None, as_json: bool, quiet: bool
) -> None:
    """Metrics of sets on all images of both sides."""
    from vitiq.cli.score_answer import show_scores  # noqa: PLC0415
    from vitiq.evaluation.batch import versions  # noqa: PLC0415
    from vitiq.evaluation.sets import score_sets_of  # noqa: PLC0415
    from vitiq.metrics.scoring import to_json  # noqa: PLC0415

    with ProgressBar("image", quiet=quiet) as bar:
        found = score_sets_of(reference, distorted, spec, jobs=jobs, step=bar)
    if as_json:
        sets = {key: to_json(score) for key, score in found.scores.items()}
        print_json(
            {
                "pairs": [],
                "sets": sets,
                "versions": [versions()],
                **({"problems": found.problems} if found.problems else {}),
            }
        )
    else:
        click.echo("sets")
        show_scores(found.scores)
    report_problems(found.problems)
