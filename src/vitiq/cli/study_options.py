"""What `vitiq run` and `vitiq bench` share: options, workers, progress, and how a study ends."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vitiq.cli import options as common
from vitiq.cli.common import print_json, say, say_notes
from vitiq.cli.progress import ProgressBar
from vitiq.evaluation.independence import dependent_scores
from vitiq.text import number, plural

if TYPE_CHECKING:
    from vitiq.evaluation.executors import Workers
    from vitiq.evaluation.presets import Finished
    from vitiq.evaluation.progress import Step
    from vitiq.evaluation.record import Record
    from vitiq.evaluation.study import Study

F = TypeVar("F", bound=Callable[..., Any])

KEPT = ("bitstreams,images", "bitstreams", "images", "none")
"""What `--keep` takes."""

OPTIONS = (
    common.scoring,
    click.option(
        "--keep",
        shell_complete=lambda _ctx, _param, word: [text for text in KEPT if text.startswith(word)],
        default="bitstreams,images",
        show_default=True,
        help="Files to keep: bitstreams, images, both separated by a comma, or none.",
    ),
    click.option(
        "--executor",
        type=click.Choice(["auto", "processes", "inline", "dask", "slurm"]),
        default="auto",
        show_default=True,
        help="Where tasks run; auto: worker processes, or this process if there is little to do.",
    ),
    click.option("--scheduler", help="dask: address of the scheduler; a local cluster if not given."),
    common.jobs,
    common.as_json,
    common.quiet,
)


def study_options(function: F) -> F:
    """Adds the options of studies."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def workers_of(options: dict[str, Any]) -> Workers:
    """The workers that the options ask for."""
    from vitiq.evaluation.executors import Workers  # noqa: PLC0415
    from vitiq.workers import jobs_on  # noqa: PLC0415

    if options["scheduler"] is not None and options["executor"] != "dask":
        raise click.UsageError(f"--scheduler is for --executor dask, {options['executor']} given")
    return Workers(options["executor"], jobs_on(options["device"], options["jobs"]), options["scheduler"])


class StudyBar:
    """Where a whole study stands, with time left; a search in this process shows its iteration and loss beside it."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar = ProgressBar("", total=1.0, quiet=quiet)

    def __call__(self, step: Step) -> None:
        """Show where the study stands."""
        label = f"task {step.done} of {step.total}" + (f", {step.failed} failed" if step.failed else "")
        note = step.label
        if step.state is not None:
            note += f", iteration {step.state.iteration} of {step.state.total}, loss {step.state.loss:.3g}"
        self._bar.update(
            step.spent, total=step.spent + step.rest, label=label, note=note, each=1 / max(1, step.workers)
        )

    def say(self, text: str) -> None:
        """The study is done, and something else begins."""
        self._bar.close()
        self._bar = ProgressBar("file", label=text, quiet=self._quiet)
        self._bar.say(text)

    def files(self, done: int, total: int) -> None:
        """So many files of what was begun are made."""
        self._bar.update(done, total=total)

    def __enter__(self) -> StudyBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def page_of(study: Study, out: Path, bar: StudyBar) -> Path | None:
    """The report of a study, made anew; where OUT takes no files, the one that is there, if it is this study's."""
    from vitiq.evaluation.store import Store  # noqa: PLC0415
    from vitiq.report.build import build_report  # noqa: PLC0415

    store = Store(out)
    if store.is_writable():
        bar.say("report")
        return build_report(out, step=bar.files)
    say(f"vitiq: {out}: takes no files, its report and records.csv stay as they are", err=True)
    page = out / "report.html"
    return page if page.is_file() and store.study_names()[-1] == study.name else None


def recorded(study: Study, records: Iterable[Record]) -> dict[str, object]:
    """What the numbers of a study hang on, as JSON: settings of each codec, signatures of metrics, versions."""
    made = {json.dumps(r.details["versions"]): r.details["versions"] for r in records if r.details.get("versions")}
    series = [{"label": s.label, "codec": s.codec, "settings": s.identity, "rates": s.rates} for s in study.series]
    return {"series": series, "metrics": dict(study.signatures), "versions": list(made.values())}


def results_of(records: Iterable[Record]) -> list[dict[str, object]]:
    """Every finished file as JSON, named as the columns of records.csv: what was asked for, its size and scores."""
    return [
        {
            "image": r.image,
            "codec": r.codec,
            "label": r.label,
            "group": r.details.get("group"),
            "rate_kind": r.rate_kind,
            "rate_value": r.rate_value,
            "reached": r.reached,
            "quality": r.quality,
            "bytes": r.bytes,
            "bpp": r.bpp,
            "encode_seconds": _seconds(r.encode_seconds),
            "decode_seconds": _seconds(r.decode_seconds),
            "scores": {name: number(score.value) for name, score in r.scores.items()},
            "not_independent": sorted(dependent_scores(r)),
        }
        for r in records
        if r.error is None
    ]


def _seconds(value: float | None) -> float | None:
    """A time; None where it was not measured."""
    return None if value is None or math.isnan(value) else value


SAID = 3
"""Images whose note is said one by one: a set of grey images has thousands of one kind."""


def end_study(out: Path, done: Finished, page: Path | None, summary: str, *, as_json: bool, quiet: bool) -> None:
    """The answer on stdout, notes and what went wrong on stderr; exit code 1 where something did."""
    from vitiq.cli.set_table import sets_json, sets_text  # noqa: PLC0415

    by_note: dict[str, list[str]] = {}
    for image in done.study.images:
        for note in image.notes:
            by_note.setdefault(note, []).append(image.path)
    for note, paths in by_note.items():
        for path in paths[:SAID]:
            say_notes(Path(path), [note], quiet=quiet)
        if len(paths) > SAID:
            say(f"{plural(len(paths) - SAID, 'image')} more: {note}", err=True, quiet=quiet)
    if as_json:
        notes = [f"{image.name}: {note}" for image in done.study.images for note in image.notes]
        answer: dict[str, object] = {
            "report": None if page is None else str(page),
            "records": str(out / "records.parquet"),
        }
        answer |= {"study": done.study.name, **recorded(done.study, done.records), "results": results_of(done.records)}
        if done.sets:
            answer["sets"] = sets_json(done.sets, done.records)
        print_json(answer | {"notes": notes, "problems": done.problems})
    else:
        click.echo(summary)
        if sets := sets_text(done.study, done.sets, done.records):
            click.echo(sets)
    for problem in done.problems:
        say(f"vitiq: {problem}", err=True)
    if not as_json and page is not None:
        click.echo(str(page))
    if done.problems:
        sys.exit(1)
