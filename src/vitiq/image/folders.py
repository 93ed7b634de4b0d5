"""Images of files and folders: decided by content, what was skipped named once, names that cannot collide."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from pathlib import Path, PurePosixPath

from vitiq.errors import unreadable
from vitiq.image.formats import HEAD_BYTES, SUFFIXES, detect
from vitiq.image.limits import BROKEN_LINK, no_file
from vitiq.text import plural

HOUSEKEEPING = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"})
HOUSEKEEPING_FOLDERS = frozenset({"@eadir", "__macosx", "$recycle.bin", "system volume information", "lost+found"})

LINKS, RESULTS = "link to a folder", "folder of vitiq's results"
"""What in a folder is not entered, as it is counted."""

RESULTS_MARK = ".vitiq"
"""File that marks a folder of results, so that inputs are never looked for in it."""

MADE_MARK = ".vitiq-made"
"""File in which `encode`, `decode` and `restore` note what made the files of a folder."""

STUDY_FOLDERS = frozenset(
    {"assets", "bitstreams", "maps", "originals", "paper", "previews", "reconstructions", "traces"}
)
"""Folders in a folder of results that hold, or may hold, images which a study wrote."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that is looked for in folders.

    Attributes:
        suffixes: those that announce it, lower case: such a file is taken whatever it holds, so that a broken one is
            reported and not passed over.
        holds: whether the first `HEAD_BYTES` of a file of any other suffix are of this kind.
    """

    suffixes: frozenset[str]
    holds: Callable[[bytes], bool]


IMAGE = Kind(SUFFIXES, lambda head: detect(head) is not None)


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image file and the name it has in results (its path below the folder given, or its file name)."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class FoundImages:
    """Images found.

    Attributes:
        images: in sorted order; no two names have one `pairing_key`.
        problems: one line for each thing asked for that is no image.
        skipped: at most one line a folder: how many files of other kinds were passed over.
    """

    images: list[FoundImage] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def pairing_key(name: str) -> str:
    """The name as file systems and people compare it: Unicode form NFC, without case, with forward slashes.

    macOS hands out names in NFD, Windows and macOS ignore case: two names of one key may be one file elsewhere.

    Example:
        >>> pairing_key("Cafe\\u0301.PNG") == pairing_key("café.png")
        True
    """
    folded = unicodedata.normalize("NFC", name).casefold().replace("\\", "/")
    return unicodedata.normalize("NFC", folded)


def is_housekeeping(path: PurePosixPath | Path) -> bool:
    """Whether a system put the file there and no person: hidden, AppleDouble, thumbnails, recycle bins."""
    return path.name.lower() in HOUSEKEEPING or any(
        part.startswith(".") or part.lower() in HOUSEKEEPING_FOLDERS for part in path.parts
    )


def find_images(
    paths: Sequence[Path],
    *,
    also: Kind | None = None,
    leave_out: Callable[[Path], bool] | None = None,
) -> FoundImages:
    """Images of files and folders (walked in sorted order); what is broken becomes a problem, not a stop.

    In a folder, a file is an image if its content says so, or if its suffix announces one (so that a broken image is
    reported, not passed over); the rest is counted in `skipped`. A file named outright is kept whatever it holds. What
    vitiq wrote below one of `paths` is left out as `kept_below` does, and counted too.

    Args:
        paths: files and folders; what two of them reach counts once.
        also: another kind of file in a folder that is taken for an image.
        leave_out: whether a folder below one of `paths` is not walked.
    """
    kind = IMAGE if also is None else _either(IMAGE, also)
    found = FoundImages()
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    for image in once(chain.from_iterable(_candidates(path, found, kind, leave_out) for path in map(Path, paths))):
        name = _free(image.name, taken, counts)
        taken.add(pairing_key(name))
        found.images.append(FoundImage(image.path, name))
    return found


def once(images: Iterable[FoundImage]) -> Iterator[FoundImage]:
    """Without those whose path came before, as where a folder and a file in it are named; links count on their own."""
    seen: set[str] = set()
    for image in images:
        place = os.path.abspath(image.path)  # noqa: PTH100 - Path.resolve follows links
        if place not in seen:
            seen.add(place)
            yield image


def _free(name: str, taken: set[str], counts: Counter[str]) -> str:
    """The name, or with the first number from 2 on that makes it one of its own."""
    key = pairing_key(name)
    if key not in taken:
        return name
    base = PurePosixPath(name)
    counts[key] = max(counts[key], 1)
    while True:
        counts[key] += 1
        numbered = base.with_name(f"{base.stem}-{counts[key]}{base.suffix}").as_posix()
        if pairing_key(numbered) not in taken:
            return numbered


def unique_names(names: Iterable[str]) -> list[str]:
    """The names, each made different from those before it, also where case or Unicode form alone differ.

    Example:
        >>> unique_names(["a.png", "A.png", "a.png"])
        ['a.png', 'A-2.png', 'a-3.png']
    """
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    found = []
    for name in names:
        found.append(_free(name, taken, counts))
        taken.add(pairing_key(found[-1]))
    return found


def _candidates(
    path: Path, found: FoundImages, kind: Kind, leave_out: Callable[[Path], bool] | None
) -> Iterator[FoundImage]:
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except ValueError as error:
        found.problems.append(f"{str(path)!r}: not a file name ({error}); check the path")
        return
    except OSError as error:
        found.problems.append(unreadable(path, error, "cannot be looked at"))
        return
    if is_folder:
        yield from _inside(path, found, kind, leave_out)
    elif exists:
        yield FoundImage(path, path.name)
    else:
        found.problems.append(not_there(path))


def is_folder(path: Path) -> bool:
    """True for a folder; what cannot be asked for (a name that is too long) is none, and fails later with a reason."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def holds_results(folder: Path) -> bool:
    """Whether a folder is one of vitiq's results, in which inputs are not looked for."""
    return _is_there(folder / RESULTS_MARK)


def _is_there(mark: Path) -> bool:
    try:
        return mark.exists()
    except OSError:  # a folder that cannot be looked into is named by who walks it
        return False


def not_there(path: Path) -> str:
    """What is said of a name that no file or folder has; one image alone may come by a pipe, a set of them may not."""
    if str(path) == "-":
        return "-: standard input is not taken here; name files or folders (a file of this name is ./-)"
    return no_file(path, "file or folder")


def _inside(
    folder: Path, found: FoundImages, kind: Kind, leave_out: Callable[[Path], bool] | None
) -> Iterator[FoundImage]:
    others: Counter[str] = Counter()
    files = kept_below(folder, kind, found.problems, others, leave_out)
    yield from (FoundImage(file, file.relative_to(folder).as_posix()) for file in files)
    if not files:
        found.problems.append(f"{folder}: no images in this folder; expected {', '.join(sorted(SUFFIXES))}")
    elif others:
        found.skipped.append(f"{folder}: {counted(others)}")


def kept_below(
    folder: Path,
    kind: Kind,
    problems: list[str],
    others: Counter[str],
    leave_out: Callable[[Path], bool] | None = None,
) -> list[Path]:
    """The files of a kind below a folder, sorted, without those that vitiq wrote there.

    Folders of results are not entered. Nor are those that `encode`, `decode` or `restore` wrote into, and what a study
    wrote into `folder` itself, unless nothing of the kind lies elsewhere: then they are what is meant.

    Args:
        problems, others: as for `of_kind`.
        leave_out: as for `find_images`.
    """
    of_study = holds_results(folder)

    def is_made(inner: Path) -> bool:
        return _is_there(inner / MADE_MARK) or (of_study and inner.parent == folder and inner.name in STUDY_FOLDERS)

    def walk(*, enter: bool) -> tuple[list[Path], list[str], Counter[str], bool]:
        said, passed, made = list[str](), Counter[str](), False

        def is_left_out(inner: Path) -> bool:
            nonlocal made
            if leave_out is not None and leave_out(inner):
                return True
            results = holds_results(inner)
            if not results and (enter or not is_made(inner)):
                return False
            made = made or not results
            passed[RESULTS] += 1
            return True

        files = list(of_kind(files_below(folder, said, passed, is_left_out), folder, kind, said, passed))
        return files, said, passed, made

    files, said, passed, made = walk(enter=False)
    if made and not files:
        files, said, passed, _ = walk(enter=True)
    problems += said
    others.update(passed)
    return files


def of_kind(
    files: Iterable[Path], folder: Path, kind: Kind, problems: list[str], others: Counter[str]
) -> Iterator[Path]:
    """The files of a kind, sorted; what cannot be looked at becomes a problem, and the rest is counted in `others`."""
    for file in in_order(files):
        if file.name.startswith(RESULTS_MARK):  # vitiq's own, such as the journal of `encode`
            continue
        if is_housekeeping(file.relative_to(folder)):
            others["of the system"] += 1
            continue
        regular = _is_regular(file, problems)
        if regular is None:
            continue
        announced = file.suffix.lower() in kind.suffixes
        if not regular:
            if announced and file.is_symlink():
                problems.append(f"{file}: {BROKEN_LINK}")
            else:
                others["neither file nor folder"] += 1
            continue
        held = announced or _holds(file, kind, problems)
        if held:
            yield file
        elif held is not None:
            others[file.suffix.lower() or "without suffix"] += 1


def _either(one: Kind, other: Kind) -> Kind:
    return Kind(one.suffixes | other.suffixes, lambda head: one.holds(head) or other.holds(head))


def counted(others: Counter[str]) -> str:
    """What a folder holds besides images, and that it was passed over.

    Example:
        >>> counted(Counter({".txt": 2, ".viq": 1, LINKS: 1}))
        '3 other files skipped (2 .txt, 1 .viq); 1 link to a folder not entered'
    """
    files = Counter({kind: count for kind, count in others.items() if kind not in {LINKS, RESULTS}})
    said = []
    if files:
        kinds = ", ".join(f"{count} {kind}" for kind, count in files.most_common(5))
        more = f" and {len(files) - 5} more kinds" if len(files) > 5 else ""
        said.append(f"{plural(files.total(), 'other file')} skipped ({kinds}{more})")
    for kind, many in ((LINKS, "links to folders"), (RESULTS, "folders of vitiq's results")):
        if count := others[kind]:
            said.append(f"{count} {kind if count == 1 else many} not entered")
    return "; ".join(said)


def files_below(
    folder: Path, problems: list[str], others: Counter[str], leave_out: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Everything below a folder that is none; links to folders are not followed (they may run in circles) but counted.

    Pipes, devices and links that lead nowhere are among them. Folders of which `leave_out` is true are not entered.
    """

    def report(error: OSError) -> None:
        problems.append(unreadable(error.filename, error, "cannot be looked into"))

    for root, folders, names in os.walk(folder, onerror=report):
        if leave_out is not None:
            folders[:] = [name for name in folders if not leave_out(Path(root, name))]
        links = sum(os.path.islink(os.path.join(root, name)) for name in folders)  # noqa: PTH114, PTH118 - never raises
        if links:
            others[LINKS] += links
        above = Path(root)
        yield from (above / name for name in names)


def _is_regular(file: Path, problems: list[str]) -> bool | None:
    """Whether a name leads to a regular file; None, and a problem, where the system does not say."""
    try:
        return file.is_file()
    except OSError as error:  # below a folder that may be listed and not entered, or a path that is too long
        problems.append(unreadable(file, error, "cannot be looked at"))
        return None


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Sorted as paths are, each taken apart once and not at every comparison."""
    return sorted(paths, key=attrgetter("parts"))


def _holds(file: Path, kind: Kind, problems: list[str]) -> bool | None:
    """Whether the content is of a kind; None, and a problem, where it cannot be read."""
    try:
        with file.open("rb") as opened:
            return kind.holds(opened.read(HEAD_BYTES))
    except OSError as error:
        problems.append(unreadable(file, error))
        return None
