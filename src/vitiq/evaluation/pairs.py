"""Which image of one folder belongs to which of another."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vitiq.bitstream.container import is_viq
from vitiq.codecs.detect import plugin_files
from vitiq.errors import InputError
from vitiq.files import same_file
from vitiq.image.folders import IMAGE, FoundImage, Kind, not_there, pairing_key
from vitiq.image.formats import HEAD_BYTES
from vitiq.image.io import find_images
from vitiq.text import plural

log = logging.getLogger("vitiq")
log.addHandler(logging.NullHandler())


def coded() -> Kind:
    """Files that `score` decodes and no image reader reads: .viq, and those of plug-ins, whose codecs are loaded."""
    theirs = plugin_files()
    return Kind(theirs.suffixes - IMAGE.suffixes | {".viq"}, lambda head: is_viq(head) or theirs.holds(head))


def without_copies(images: Sequence[FoundImage], folder: Path, kind: Kind) -> list[FoundImage]:
    """Without compressed files beside an image of their name, where `encode` puts them; says how many these are.

    Args:
        kind: `coded()`.
    """
    compressed = {image.path for image in images if _is_coded(image.path, kind)}
    names = [pairing_key(image.name) for image in images if image.path not in compressed]
    beside = {*names, *map(_without_suffix, names)}  # x.viq or x.png.viq, as `encode` calls it beside x.png
    copies = {
        image.path
        for image in images
        if image.path in compressed and _without_suffix(pairing_key(image.name)) in beside
    }
    if copies:
        log.warning("%s: %s skipped, beside images of the same name", folder, plural(len(copies), "compressed file"))
    return [image for image in images if image.path not in copies]


def _is_coded(path: Path, kind: Kind) -> bool:
    """Whether a file that was found is no image as it stands: by its suffix, else by its content, as it was found."""
    suffix = path.suffix.lower()
    if suffix in kind.suffixes | IMAGE.suffixes:
        return suffix in kind.suffixes
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            return kind.holds(head) and not IMAGE.holds(head)
    except OSError:  # reported where it is read
        return False


def _without_suffix(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


@dataclass(frozen=True, slots=True)
class Pairing:
    """Pairs of files, reference first.

    Attributes:
        pairs: in order.
        problems: one line for each thing that has no partner.
        images: all that were found, those without a partner too.
    """

    pairs: list[tuple[Path, Path]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Named:
    """A file, its path below its folder, and that path with a number where another has the same `pairing_key`."""

    path: Path
    below: str
    name: str


Label = Callable[[_Named], str]


def _whole(image: _Named) -> str:
    return image.below


def _stem(image: _Named) -> str:
    return _without_suffix(image.below)


def _numbered(image: _Named) -> str:
    return image.name


def _numbered_stem(image: _Named) -> str:
    return _without_suffix(image.name)


Rule = tuple[Label, Label, Label | None]

RULES: tuple[Rule, ...] = (
    (_whole, _whole, None),
    (_whole, _stem, _stem),
    (_stem, _whole, _stem),
    (_stem, _stem, _whole),
    (_numbered, _whole, None),
    (_numbered, _stem, _numbered_stem),
    (_numbered_stem, _stem, _numbered),
)
"""What two files have in common that belong together, the surest first: reference, distorted.

Third, the label by which another file may have just as good a claim: `p.jpg.webp` may be of `p.jpg` or of `p.jpg.png`.
"""

FOLDS: tuple[Callable[[str], str], ...] = (str, pairing_key)
"""How names are compared, by each rule: to the letter, then as file systems do."""


def pair_up(reference: Path, distorted: Path) -> Pairing:
    """Pairs of two folders, sorted, or the two files.

    In folders, files of the same relative path belong together; of the rest, those whose whole name stands before the
    suffix on the other side (`a/x.png` and `b/x.png.jpg`, as `encode` calls it beside `x.jpg`), then those of the same
    relative path without suffix (`a/kodim01.png` and `b/kodim01.jpg`), if there is one on each side. Names that are
    the same to the letter go first; of the rest, case and Unicode form do not count. Last, `a/x.png` beside `a/X.png`
    is `b/x-2.jpg`, as `encode` calls it. What may be of either of two is paired once one of them has another partner
    (`b/p.jpg.webp`, where `a` holds `p.jpg` and `p.jpg.png`, and `b` a `p.webp` too), and never by a guess. Where the
    right side adds a suffix to every name, `b/x.png.jpg` is of `a/x.png`, though `a` holds an `x.png.jpg` too. Copies
    are passed over, as in `without_copies`, unless a folder is paired with itself.

    Raises:
        InputError: a folder and a file, or a folder that does not exist.
    """
    for side in (reference, distorted):
        if not side.exists():
            raise InputError(not_there(side))
    if reference.is_dir() != distorted.is_dir():
        raise InputError(f"{reference} and {distorted}: one is a folder, one is not; give two files or two folders")
    if not reference.is_dir():
        return Pairing([(reference, distorted)], images=[reference, distorted])
    kind = coded()
    left = find_images([reference], also=kind, leave_out=lambda folder: same_file(folder, distorted))
    right = find_images([distorted], also=kind, leave_out=lambda folder: same_file(folder, reference))
    for line in (*left.skipped, *right.skipped):
        log.warning("%s", line)
    images = [image.path for found in (left, right) for image in found.images]
    result = Pairing(problems=list(dict.fromkeys((*left.problems, *right.problems))), images=images)
    if not left.images or not right.images:
        return result
    itself = same_file(reference, distorted)
    sides = [
        (side, found.images if itself else without_copies(found.images, side, kind))
        for side, found in ((reference, left), (distorted, right))
    ]
    lefts, rights = (
        [_Named(image.path, image.path.relative_to(side).as_posix(), image.name) for image in kept]
        for side, kept in sides
    )
    matched: list[tuple[_Named, _Named]] = []
    for rule in RULES:
        for fold in FOLDS:
            while new := _uncontested(lefts, rights, rule, fold):
                done = {image.path for pair in new for image in pair}
                lefts, rights = ([image for image in side if image.path not in done] for side in (lefts, rights))
                matched += new
    result.problems.extend(_unpaired(lefts, rights, reference, distorted))
    matched.sort(key=lambda pair: (pairing_key(pair[0].below), pair[0].below))
    result.pairs.extend((a.path, b.path) for a, b in matched)
    return result


def _grouped(images: Iterable[_Named], label: Label, fold: Callable[[str], str]) -> dict[str, list[_Named]]:
    groups: dict[str, list[_Named]] = defaultdict(list)
    for image in images:
        groups[fold(label(image))].append(image)
    return groups


def _uncontested(
    lefts: Sequence[_Named], rights: Sequence[_Named], rule: Rule, fold: Callable[[str], str]
) -> list[tuple[_Named, _Named]]:
    """Pairs by a rule, without those to one side of which a third image has as good a claim."""
    of_left, of_right, of_rivals = rule
    pairs = _alone(_grouped(lefts, of_left, fold), _grouped(rights, of_right, fold))
    if of_left is of_right is _whole and pairs:
        shifted = _with_added_suffix(lefts, rights, fold)
        return [pair for pair in pairs if fold(_whole(pair[0])) not in shifted]
    if of_rivals is None or not pairs:
        return pairs
    rivals = _grouped((*lefts, *rights), of_rivals, fold)

    def is_contested(pair: tuple[_Named, _Named]) -> bool:
        return any(image not in pair for image in rivals.get(fold(of_left(pair[0])), ()))

    return [pair for pair in pairs if not is_contested(pair)]


def _with_added_suffix(lefts: Sequence[_Named], rights: Sequence[_Named], fold: Callable[[str], str]) -> set[str]:
    """Names on both sides that are not of one image: the right side adds a suffix to names of the left one.

    `x.png` and `x.png.jpg` became `x.png.jpg` and `x.png.jpg.jpg`. Names hang together by such steps; where more pairs
    come of adding the suffix than of leaving the names as they are, it was added.
    """
    left, right = _grouped(lefts, _whole, fold), _grouped(rights, _whole, fold)
    longer = _grouped(rights, _stem, fold)
    found: set[str] = set()
    for name in left.keys() & right.keys():
        if name in found or name not in longer:
            continue
        chain, waiting = {name}, [name]
        while waiting:  # the names that this one came of, and those that came of it
            one = waiting.pop()
            shorter = fold(_stem(right[one][0])) if one in right else one
            near = {shorter, *(fold(_whole(image)) for image in longer.get(one, ()))} if one in left else {shorter}
            waiting += near - chain
            chain |= near
        kept = sum(name in left and name in right for name in chain)
        added = sum(name in left and len(longer.get(name, ())) == 1 for name in chain)
        if added > kept:
            found |= chain & left.keys() & right.keys()
    return found


def _alone(left: dict[str, list[_Named]], right: dict[str, list[_Named]]) -> list[tuple[_Named, _Named]]:
    """Pairs of which each side has one."""
    both = ((own, right[name]) for name, own in left.items() if name in right)
    return [(a[0], b[0]) for a, b in both if len(a) == len(b) == 1]


def _unpaired(lefts: Sequence[_Named], rights: Sequence[_Named], reference: Path, distorted: Path) -> list[str]:
    left, right = (_grouped(side, _stem, pairing_key) for side in (lefts, rights))
    lines = []
    for stem in sorted({*left, *right}):
        a, b = ([image.path for image in side.get(stem, ())] for side in (left, right))
        if len(a) == len(b) == 1:
            lines.append(f"{a[0]}, {b[0]}: not paired, another image is called {stem}; give it another name")
        elif a and b:
            lines.append(f"{', '.join(map(str, (*a, *b)))}: not paired, one image of a stem a side expected")
        else:
            lines += [f"{path}: no image of that name in {distorted if a else reference}" for path in (*a, *b)]
    return lines
