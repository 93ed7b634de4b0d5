"""Metrics of sets (FID, KID, …) of a study, as `vitiq bench`, `bench show` and `run` give them beside the means."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from vitiq.evaluation.independence import DEPENDENT, MARK, dependent_sets, marked
from vitiq.metrics.scoring import to_json
from vitiq.text import escape_markdown
from vitiq.types import Score

if TYPE_CHECKING:
    from vitiq.evaluation.record import Record
    from vitiq.evaluation.study import Study

    SetScores = Mapping[str, Mapping[str, Score]]
    """Set -> metric -> score."""


def sets_json(sets: SetScores, records: Sequence[Record]) -> dict[str, dict[str, dict[str, object]]]:
    """As JSON values: null where a score is undefined, with the reason; and whether it is independent of the codec."""
    dependent = _dependent(sets, records)
    return {
        name: {
            metric: to_json(score) | {"independent": metric not in dependent.get(name, ())}
            for metric, score in scores.items()
        }
        for name, scores in sets.items()
    }


def _dependent(sets: SetScores, records: Sequence[Record]) -> dict[str, frozenset[str]]:
    signatures = {name: {metric: score.signature for metric, score in own.items()} for name, own in sets.items()}
    return dependent_sets(records, signatures)


def sets_text(study: Study, sets: SetScores, records: Sequence[Record]) -> str:
    """A table as Markdown, a line a set, then why values are missing; empty where no metric of sets is asked for.

    What lacks its package or weights is named in one line: -m all asks for whatever can be had.
    """
    metrics = list(dict.fromkeys(metric for scores in sets.values() for metric in scores))
    asked = [name for name in study.metrics if name not in study.signatures]
    if not metrics:
        lost = asked and "images" not in study.keep
        said = "no value, as metrics of sets read the images of the study, which are not kept"
        return f"\n{', '.join(asked)}: {said}; give --keep bitstreams,images" if lost else ""
    unavailable = [name for name in metrics if any(_unavailable(scores, name) for scores in sets.values())]
    shown = [name for name in metrics if name not in unavailable]
    lines = ["\n## Metrics of sets: value (samples)\n"] if shown else []
    if shown:
        lines += [f"| codec | {' | '.join(shown)} |", "|---|" + "---:|" * len(shown)]
        dependent = _dependent(sets, records)
        for name, own in sets.items():
            marks = dependent.get(name, frozenset())
            cells = [_cell(own.get(metric), independent=metric not in marks) for metric in shown]
            lines.append(f"| {escape_markdown(name)} | {' | '.join(cells)} |")
        lines += [f"\n{DEPENDENT}"] if any(MARK in line for line in lines) else []
    lines += [f"\n{note}" for note in _reasons(sets, shown)]
    if unavailable:
        lines.append(f"\nunavailable: {', '.join(unavailable)} (what they need: vitiq metrics list)")
    return "\n".join(lines)


def _unavailable(scores: Mapping[str, Score], metric: str) -> bool:
    return metric in scores and bool(scores[metric].details.get("unavailable"))


def _cell(score: Score | None, *, independent: bool) -> str:
    if score is None or math.isnan(score.value):
        return "–"
    counts = score.details.get("samples")
    samples = " and ".join(map(str, dict.fromkeys(counts))) if isinstance(counts, list | tuple) else ""
    return marked(f"{score.value:.4f}", independent=independent) + (f" ({samples})" if samples else "")


def _reasons(sets: SetScores, metrics: list[str]) -> Iterator[str]:
    """Why metrics have no value, once for all sets that have the same reason."""
    for metric in metrics:
        found: dict[str, list[str]] = {}
        for name, scores in sets.items():
            if metric in scores and math.isnan(scores[metric].value):
                found.setdefault(str(scores[metric].details.get("undefined", "not a number")), []).append(name)
        for reason, names in found.items():
            of = "" if len(names) == len(sets) else f" for {', '.join(names)}"
            yield f"{metric}: no value{of}: {reason}."
