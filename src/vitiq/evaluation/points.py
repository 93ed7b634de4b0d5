"""Rate-distortion points from what people have: folders of studies, and published tables beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vitiq import registry
from vitiq.analysis.anchors import aligned, read_anchors
from vitiq.analysis.points import RdPoint, codecs_of, metrics_of, points_of
from vitiq.errors import InputError
from vitiq.evaluation.store import Store


@dataclass(frozen=True, slots=True)
class Gathered:
    """Points of several sources.

    Attributes:
        points: all of them.
        labels: registered name of a codec -> labels of its curves.
        problems: one line for each source whose tasks failed in part.
    """

    points: tuple[RdPoint, ...]
    labels: Mapping[str, tuple[str, ...]]
    problems: tuple[str, ...] = ()

    def label(self, name: str) -> str:
        """The curve that a person means: its label, whatever the case, or the name of its codec where it has one curve.

        Raises:
            InputError: no such curve, or several.
        """
        known = codecs_of(self.points)
        found = [label for label in known if label == name] or [k for k in known if k.casefold() == name.casefold()]
        found = found or list(self.labels.get(name, ()))
        if len(found) != 1:
            fault = f"stands for {len(found)} curves" if found else "is no curve here"
            raise InputError(f"{name!r} {fault}; choose from {', '.join(repr(label) for label in found or known)}")
        return found[0]

    def metrics(self, names: str | None, default: Sequence[str]) -> dict[str, bool]:
        """Name of each metric asked for -> whether higher is better.

        Args:
            names: with commas; None for those of `default` that the points have, or else all that are known.

        Raises:
            InputError: no point has one of them.
            UnknownNameError: a metric whose direction is not known.
        """
        present = metrics_of(self.points)
        if names is None:
            chosen = [name for name in default if name in present] or present
        else:
            chosen = [name.strip() for name in names.split(",") if name.strip()]
        missing = [name for name in chosen if name not in present]
        if missing or not chosen:
            raise InputError(
                f"metric {', '.join(missing) or 'none'} given; the points have {', '.join(present) or 'none'}"
            )
        return {name: higher_is_better(name) for name in chosen}


def higher_is_better(metric: str) -> bool:
    """Direction of a registered metric, settings after an @ included.

    Raises:
        UnknownNameError: no such metric.
    """
    return bool(registry.load("metrics", metric.partition("@")[0]).higher_is_better)


def gather_points(sources: Sequence[Path], study: str | None = None) -> Gathered:
    """Points of folders of studies and of published tables.

    A label that two folders have gets the folder's name added; images of published tables take the name of the study's
    image of the same stem.

    Args:
        sources: folders (`-o` of `vitiq run` or `vitiq bench`) and files.
        study: of a folder that holds several; None for the one asked for last.

    Raises:
        InputError: a folder without a study, a file that is no table, or nothing at all.
    """
    own: list[tuple[Path, str, RdPoint]] = []
    problems = []
    for folder in (path for path in sources if path.is_dir()):
        records = Store(folder).records(study, details=False)
        done = [r for r in records if r.error is None]
        own += [(folder, r.codec, p) for r, p in zip(done, points_of(done), strict=True)]
        if len(done) < len(records):
            problems.append(f"{folder}: {len(records) - len(done)} of {len(records)} tasks failed and have no point")
    owners: dict[str, set[Path]] = {}
    for folder, _, p in own:
        owners.setdefault(p.codec, set()).add(folder)
    named = [
        (codec, replace(p, codec=f"{p.codec} [{folder.name}]") if len(owners[p.codec]) > 1 else p)
        for folder, codec, p in own
    ]
    points = [p for _, p in named]
    tables = read_anchors([path for path in sources if not path.is_dir()])
    clash = {p.codec for p in points}
    tables = [replace(p, codec=f"{p.codec} [published]") if p.codec in clash else p for p in tables]
    labels: dict[str, dict[str, None]] = {}
    for codec, p in named:
        labels.setdefault(codec, {})[p.codec] = None
    if not points and not tables:
        raise InputError(f"{', '.join(map(str, sources))}: no points; give a folder with finished tasks, or a table")
    return Gathered((*points, *aligned(points, tables)), {k: tuple(v) for k, v in labels.items()}, tuple(problems))
