"""Which image of one folder belongs to which of another."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vitiq.bitstream.container import is_viq
from vitiq.errors import InputError
from vitiq.image.folders import not_there, pairing_key
from vitiq.image.io import find_images

log = logging.getLogger("vitiq")
log.addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Pairing:
    """Pairs of files, reference first, and one line for each thing that has no partner."""

    pairs: list[tuple[Path, Path]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def pair_up(reference: Path, distorted: Path) -> Pairing:
    """Pairs of two folders, sorted, or the two files.

    In folders, files of the same relative path belong together; of the rest, those of the same relative path without
    suffix, if there is one on each side (`a/kodim01.png` and `b/kodim01.jpg`), or whose whole name stands before the
    suffix on the other (`a/x.png` and `b/x.png.jpg`, as `encode` calls it beside `x.jpg`). Case and Unicode form do not
    count.

    Raises:
        InputError: a folder and a file, or a folder that does not exist.
    """
    for side in (reference, distorted):
        if not side.exists():
            raise InputError(not_there(side))
    if reference.is_dir() != distorted.is_dir():
        raise InputError(f"{reference} and {distorted}: one is a folder, one is not; give two files or two folders")
    if not reference.is_dir():
        return Pairing([(reference, distorted)])
    left, right = (find_images([side], also=is_viq) for side in (reference, distorted))
    for line in (*left.skipped, *right.skipped):
        log.warning("%s", line)
    result = Pairing(problems=[*left.problems, *right.problems])
    if not left.images or not right.images:
        return result
    # Names that differ in case or Unicode form alone are one name on other file systems.
    lefts, rights = ({pairing_key(image.name): image.path for image in found.images} for found in (left, right))
    matched = {name: (lefts[name], rights[name]) for name in lefts if name in rights}
    left_stems, right_stems = (_by_stem(side, set(matched)) for side in (lefts, rights))
    done: set[Path] = set()
    for name in sorted({*lefts, *rights} - set(matched)):
        a, b = ([lefts[name]], right_stems[name]) if name in lefts else (left_stems[name], [rights[name]])
        if len(a) == len(b) == 1 and done.isdisjoint((*a, *b)):
            matched[name] = (a[0], b[0])
            done.update((*a, *b))
    left_stems, right_stems = (_by_stem(_without(side, done), set(matched)) for side in (lefts, rights))
    for stem in sorted({*left_stems, *right_stems}):
        a, b = left_stems[stem], right_stems[stem]
        if len(a) == len(b) == 1:
            matched[stem] = (a[0], b[0])
        elif not a or not b:
            result.problems.extend(f"{p}: no image of that name in {distorted if a else reference}" for p in (*a, *b))
        else:
            result.problems.append(f"{', '.join(map(str, (*a, *b)))}: not paired, one image of a stem a side expected")
    result.pairs.extend(matched[name] for name in sorted(matched))
    return result


def _without(images: dict[str, Path], done: set[Path]) -> dict[str, Path]:
    return {name: path for name, path in images.items() if path not in done}


def _by_stem(images: dict[str, Path], taken: set[str]) -> dict[str, Sequence[Path]]:
    stems: dict[str, list[Path]] = defaultdict(list)
    for name, path in images.items():
        if name not in taken:
            stems[Path(name).with_suffix("").as_posix()].append(path)
    return defaultdict(list, stems)
