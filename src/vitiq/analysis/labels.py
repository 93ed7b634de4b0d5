"""Labels that tell the curves of several sources apart."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path


def distinct_labels(own: Mapping[Path, Iterable[str]]) -> dict[tuple[Path, str], str]:
    """Label of each source's curve; one that two sources have gets as much of the source's path as tells them apart.

    Args:
        own: folder or file -> labels of the curves in it.

    Returns:
        Source and its own label -> a label that no other curve has.

    Example:
        >>> list(distinct_labels({Path("a/vtm.json"): ["VTM"], Path("b/vtm.json"): ["VTM", "new"]}).values())
        ['VTM [a/vtm]', 'VTM [b/vtm]', 'new']
    """
    curves = [(path, label) for path, labels in own.items() for label in dict.fromkeys(labels)]
    times = Counter(label for _, label in curves)
    places = _places(list(own))
    more = 0
    while True:
        named = {
            (path, label): f"{label} [{_tail(places, path, more)}]" if times[label] > 1 else label
            for path, label in curves
        }
        if len(set(named.values())) == len(named) or more > max(map(len, places.values())):
            return named
        more += 1  # a source has a curve of its own that bears another's new label


def _places(paths: Iterable[Path]) -> dict[Path, tuple[str, ...]]:
    """Parts of each path from the root; without a file's suffix, unless that alone tells two apart."""
    whole = {path: Path(os.path.abspath(path)) for path in paths}  # noqa: PTH100 - a link keeps its own name
    short = {path: place if place.is_dir() else place.with_suffix("") for path, place in whole.items()}
    times = Counter(short.values())
    return {path: (short[path] if times[short[path]] == 1 else whole[path]).parts for path in whole}


def _tail(places: Mapping[Path, tuple[str, ...]], path: Path, more: int) -> str:
    """The last parts of a path, as many as no other has and some more."""
    parts = places[path]
    others = [place for other, place in places.items() if other != path]
    count = next((n for n in range(1, len(parts)) if all(place[-n:] != parts[-n:] for place in others)), len(parts))
    return "/".join(parts[-min(count + more, len(parts)) :]).removeprefix("//")


def beside(published: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Labels of published curves beside a study's; one that the study has too is marked.

    Example:
        >>> beside(["VTM", "JPEG"], ["JPEG"])
        {'VTM': 'VTM', 'JPEG': 'JPEG [published]'}
    """
    own = dict.fromkeys(published)
    used = set(taken)
    named = {}
    for label in own:
        name = label
        while name in used or (name != label and name in own):
            name += " [published]"
        named[label] = name
    return named
