"""How `vitiq score` answers on stdout: text for people, JSON for machines, both as pairs become known."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Self

import click

from vitiq.cli.common import to_json_text
from vitiq.cli.readable import tame
from vitiq.metrics.alone import score_alone
from vitiq.metrics.questions import QUESTIONS, described, grouped
from vitiq.metrics.scoring import to_json
from vitiq.text import number, plural
from vitiq.types import Score

if TYPE_CHECKING:
    from vitiq.analysis.summary import Summary
    from vitiq.evaluation.aggregate import Aggregate
    from vitiq.evaluation.scoring import Scored


class Answer(AbstractContextManager["Answer"]):
    """What goes to stdout, as it becomes known."""

    def pair(self, scored: Scored) -> None:
        """One more pair."""

    def end(self, aggregate: Aggregate | None, problems: list[str]) -> None:
        """All pairs are done.

        Args:
            aggregate: of folders; None for two images, or where no pair could be scored.
        """

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


class TextAnswer(Answer):
    """For people: the scores of two images, the summary of two folders."""

    def __init__(self, folders: bool, *, alone: bool = False) -> None:
        self._folders, self._alone = folders, alone

    def pair(self, scored: Scored) -> None:
        """A table for two images."""
        if not self._folders:
            pair = str(scored.reference) if self._alone else f"{scored.reference}  {scored.distorted}"
            click.echo(tame(pair, line=True))
            show_scores(_alone(scored.scores) if self._alone else scored.scores)

    def end(self, aggregate: Aggregate | None, problems: list[str]) -> None:  # noqa: ARG002 - reported on stderr
        """The summary of two folders."""
        if aggregate is not None:
            show_summary(aggregate.summaries(), len(aggregate.pairs), "image" if self._alone else "pair")
            sets = aggregate.sets()
            if sets:
                click.echo("sets")
                show_scores(sets)


class JsonAnswer(Answer):
    """`{"pairs": […], "summary": …, "sets": …, "versions": …, "problems": …}`, never all in memory.

    Valid also after Ctrl-C.
    """

    def __init__(self, *, details: bool = False, alone: bool = False) -> None:
        self._count, self._details, self._alone = 0, details, alone

    def __enter__(self) -> Self:
        click.echo('{\n  "images": [' if self._alone else '{\n  "pairs": [', nl=False)
        return self

    def pair(self, scored: Scored) -> None:
        """One more record."""
        found = _alone(scored.scores) if self._alone else scored.scores
        scores = {key: self._score(score) for key, score in found.items()}
        files = {"reference": str(scored.reference), "distorted": str(scored.distorted)}
        record: dict[str, object] = {**({"image": str(scored.reference)} if self._alone else files), "scores": scores}
        notes = [f"{side}: {note}" for side, own in zip(files, scored.notes, strict=True) for note in own]
        record["notes"] = list(scored.notes[0]) if self._alone else notes
        click.echo(("," if self._count else "") + "\n" + textwrap.indent(to_json_text(record), "    "), nl=False)
        self._count += 1

    def _score(self, score: Score) -> dict[str, object]:
        """A score without its tables (a list of rows, as the shared labels), unless they are asked for."""
        values = to_json(score)
        if self._details:
            return values
        return {key: value for key, value in values.items() if not _is_table(value)}

    def end(self, aggregate: Aggregate | None, problems: list[str]) -> None:
        """Summary, sets and problems, where there are any; versions."""
        from vitiq.evaluation.batch import versions  # noqa: PLC0415 - slow to import

        rest: dict[str, object] = {}
        if aggregate is not None:
            rest["summary"] = {name: _summary_json(summary) for name, summary in aggregate.summaries().items()}
            sets = aggregate.sets()
            if sets:
                rest["sets"] = {key: to_json(score) for key, score in sets.items()}
        rest["versions"] = [versions()]
        if problems:
            rest["problems"] = problems
        click.echo("\n  ]", nl=False)
        for key, value in rest.items():
            click.echo(f",\n  {to_json_text(key)}: {textwrap.indent(to_json_text(value), '  ').lstrip()}", nl=False)
        click.echo("\n}")
        self._count = -1

    def __exit__(self, *_: object) -> None:
        if self._count >= 0:
            click.echo("\n  ]\n}")


def _is_table(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _summary_json(summary: Summary) -> dict[str, object]:
    """A summary as JSON values; null where a number does not exist."""
    return {
        "n": summary.count,
        "left_out": summary.left_out,
        "mean": number(summary.mean),
        "deviation": number(summary.deviation),
        "interval_95": [number(v) for v in summary.interval],
    }


def _alone(scores: Mapping[str, Score]) -> dict[str, Score]:
    """Scores without what compares an image with itself."""
    return {key: score_alone(score) for key, score in scores.items()}


def show_summary(summaries: Mapping[str, Summary], count: int, what: str = "pair") -> None:
    """A line a metric, by the question it answers: mean, standard deviation, 95 % interval of the mean."""
    from vitiq.analysis.bootstrap import FEW_IMAGES  # noqa: PLC0415 - imports NumPy

    wide = max(16, *(len(name) + 2 for name in summaries)) if summaries else 16
    click.echo(f"{plural(count, what)}\n    {'metric':{wide}}{'mean':>12}{'deviation':>12}   95 % interval of the mean")
    for question, own in grouped(summaries).items():
        click.echo(f"  {QUESTIONS[question]}")
        for name, summary in own.items():
            click.echo(f"  {described(name)[1]:1} {name:{wide}}{_summary_text(summary)}")
    if any(1 < summary.count < FEW_IMAGES for summary in summaries.values()):
        click.echo(
            f"  fewer than {FEW_IMAGES} values: the intervals are only rough, as they assume a normal distribution"
        )


def _summary_text(s: Summary) -> str:
    if not s.count:
        return f"{'–':>12}   no finite value"
    rest = f"{s.deviation:12.4f}   {s.interval[0]:.4f} … {s.interval[1]:.4f}" if s.count > 1 else f"{'–':>12}   –"
    left = f"   ({s.left_out} infinite or undefined left out)" if s.left_out else ""
    return f"{s.mean:12.4f}{rest}{left}"


def show_scores(scores: Mapping[str, Score]) -> None:
    """One line a metric, by the question it answers, ↑ where higher is better; then why the others have no value.

    What lacks its program, package or weights is named in one line: -m all asks for whatever can be had.
    """
    wide = max(16, *(len(key) + 2 for key in scores)) if scores else 16
    shown = {key: to_json(score) for key, score in scores.items()}
    unknown = {key: score for key, score in shown.items() if score["value"] is None and "undefined" in score}
    known = {key: score for key, score in shown.items() if key not in unknown}
    unavailable = [key for key, score in unknown.items() if score.get("unavailable")]
    reasons: dict[str, list[str]] = {}
    for key, score in unknown.items():
        if key not in unavailable:
            reasons.setdefault(str(score["undefined"]), []).append(key)
    for question, own in grouped(known).items():
        click.echo(f"  {QUESTIONS[question]}")
        for key, score in own.items():
            click.echo(f"  {described(key)[1]:1} {key:{wide}}{_score_text(score)}")
    for reason, keys in reasons.items():
        click.echo(f"  not defined: {', '.join(keys)}: {reason}")
    if unavailable:
        click.echo(f"  unavailable: {', '.join(unavailable)} (what they need: vitiq metrics list)")


def _score_text(score: dict[str, Any]) -> str:
    """The value; of a ViT-Score with its chance level and p-value."""
    value = score["value"]
    shown = f"{float(value):12.4f}" if value is not None else f"{'–':>12}"
    extra = ""
    if "chance_deviation" in score:
        corrected = "–" if score["adjusted"] is None else f"{score['adjusted']:.2f}"  # K is all labels
        extra = f"  chance {score['chance']:.2f}, corrected {corrected}, p {score['p_value']:.2g}"
    if isinstance(score.get("samples"), list):
        extra = "  of {} and {} samples".format(*(n if n is not None else "unknown" for n in score["samples"]))
    if "original" in score and score["original"] is not None:
        extra += f"  original {float(score['original']):.2f}"
    return shown + extra
