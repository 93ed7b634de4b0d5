"""Which file each file of a folder becomes, and which of them are there already."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vitiq.bitstream import container as viq
from vitiq.codecs.detect import codec_of
from vitiq.codecs.journal import Journal, State
from vitiq.errors import BitstreamError, InputError
from vitiq.files import check_output, same_file
from vitiq.image.folders import (
    FoundImage,
    files_below,
    find_images,
    in_order,
    is_housekeeping,
    is_regular,
    once,
    pairing_key,
)
from vitiq.text import plural

HEAD = 4096
"""Bytes by which compressed files are recognised."""

JPEG = b"\xff\xd8\xff"
"""Bytes that every JPEG begins with."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file of a folder that another call has made.

    Attributes:
        source, path: the input, and what was made from it.
        meanwhile: made while this call was under way, not before.
    """

    source: Path
    path: Path
    meanwhile: bool = False


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Files of a folder that are of other kinds, in one line."""

    note: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be made in a folder.

    Attributes:
        todo: input and output of each file to be made.
        skipped: those that are there.
        passed_over: one line for each folder that holds files of other kinds.
        problems: each thing asked for that cannot be worked on, and one line that names it.
    """

    todo: list[tuple[Path, Path]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)
    problems: list[tuple[Path, str]] = field(default_factory=list)


def default_output(source: Path, suffix: str, word: str) -> Path:
    """The input's name with another suffix; with `word` before it where that would be the input itself.

    Example:
        >>> default_output(Path("a/photo.png"), ".viq", "generative").as_posix()
        'a/photo.viq'
        >>> default_output(Path("a/photo.jpg"), ".jpg", "jpeg").as_posix()
        'a/photo.jpeg.jpg'
    """
    target = source.with_name(source.stem + suffix)
    return source.with_name(f"{source.stem}.{word}{suffix}") if same_file(source, target) else target


def plan_encoding(sources: Sequence[Path], journal: Journal, suffix: str, *, overwrite: bool) -> Batch:
    """Images of files and folders, and their compressed files in the journal's folder.

    Raises:
        InputError: that is a file, or a folder of inputs, or holds files that were made with other settings.
    """
    out = journal.out
    _check_folder(sources, out)
    found = find_images(sources)
    names = {str(source): source for source in sources}
    problems = [(names.get(line.split(": ", 1)[0], Path()), line) for line in found.problems]
    batch = Batch(problems=problems, passed_over=[PassedOver(line) for line in found.skipped])
    made = _made_earlier(out, sources)
    pairs = [(image.path, image.name) for image in found.images if not made(image.path)]
    _fill(batch, pairs, journal, suffix, overwrite=overwrite)
    return batch


def plan_decoding(sources: Sequence[Path], journal: Journal, *, overwrite: bool) -> Batch:
    """Compressed files among files and folders, recognised by content, and their images in the journal's folder.

    Raises:
        InputError: as `plan_encoding`.
    """
    return _plan_images(sources, journal, is_compressed, "compressed images", overwrite=overwrite)


def plan_restoring(sources: Sequence[Path], journal: Journal, *, overwrite: bool) -> Batch:
    """JPEGs among files and folders, recognised by content, and their images; as `plan_decoding`."""
    return _plan_images(sources, journal, is_jpeg, "JPEGs", overwrite=overwrite)


def _plan_images(
    sources: Sequence[Path], journal: Journal, wanted: Callable[[Path], bool], kind: str, *, overwrite: bool
) -> Batch:
    """Files, and those of folders that are wanted; `kind`: what they are, in words."""
    out = journal.out
    _check_folder(sources, out)
    batch, pairs, made = Batch(), [], _made_earlier(out, [])
    for source in sources:
        if not source.is_dir():
            pairs.append((source, source.name))
            continue
        others: Counter[str] = Counter()
        problems: list[str] = []
        found = in_order(files_below(source, problems, others))
        below = [p for p in found if not is_housekeeping(p.relative_to(source)) and is_regular(p, problems)]
        batch.problems.extend((source, line) for line in problems)
        inside = [p for p in below if wanted(p) and not made(p)]
        if not inside:
            batch.problems.append((source, f"{source}: no {kind} in this folder"))
        elif len(inside) < len(below) or others:
            linked = f" ({plural(others.total(), 'link')} to folders)" if others else ""
            count = len(below) - len(inside) + others.total()
            note = f"{source}: {plural(count, 'other file')} skipped{linked}"
            batch.passed_over.append(PassedOver(note))
        pairs += [(path, path.relative_to(source).as_posix()) for path in inside]
    distinct = [(image.path, image.name) for image in once(FoundImage(*pair) for pair in pairs)]
    _fill(batch, distinct, journal, ".png", overwrite=overwrite)
    return batch


def is_compressed(path: Path) -> bool:
    """True where the first bytes are those of a file that a codec reads."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        return viq.is_viq(head) or bool(codec_of(head))
    except (OSError, BitstreamError):
        return False


def is_jpeg(path: Path) -> bool:
    """True where the first bytes are those of a JPEG."""
    try:
        with path.open("rb") as file:
            return file.read(len(JPEG)) == JPEG
    except OSError:
        return False


def output_names(names: Iterable[str], suffix: str) -> list[str]:
    """A name for the output of each input: stem and suffix; with the input's own suffix where two would share one.

    Names that differ in case or Unicode form alone count as equal, since file systems may take them for one.

    Example:
        >>> output_names(["a/x.png", "y.png", "y.jpg", "Y.png"], ".viq")
        ['a/x.viq', 'y.png.viq', 'y.jpg.viq', 'Y.png-2.viq']
    """
    listed = [PurePosixPath(name) for name in names]
    stems = Counter(pairing_key(path.with_suffix("").as_posix()) for path in listed)
    taken: set[str] = set()
    found = []
    for path in listed:
        alone = stems[pairing_key(path.with_suffix("").as_posix())] == 1
        base = path.with_name(path.stem if alone else path.name)
        name, count = f"{base}{suffix}", 2
        while pairing_key(name) in taken:
            name, count = f"{base}-{count}{suffix}", count + 1
        taken.add(pairing_key(name))
        found.append(name)
    return found


def _fill(batch: Batch, pairs: Sequence[tuple[Path, str]], journal: Journal, suffix: str, *, overwrite: bool) -> None:
    out, lines = journal.out, journal.lines()
    standing: dict[State, list[Path]] = {state: [] for state in State}
    there = {unicodedata.normalize("NFC", p.relative_to(out).as_posix()): p for p in out.rglob(f"*{suffix}")}
    names = output_names([name for _, name in pairs], suffix)
    inputs = {identity: source for source, _ in pairs if (identity := _identity(source)) is not None}
    for (source, _), name in zip(pairs, names, strict=True):
        earlier = there.get(unicodedata.normalize("NFC", name))
        target = earlier or out / name
        identity = _identity(target)
        if identity in inputs:
            line = f"{source}: its output {target} is the input {inputs[identity]}; give another folder with -o"
            batch.problems.append((source, line))
        elif overwrite or identity is None:
            batch.todo.append((source, target))
        else:
            state = journal.state(target, source, lines)
            standing[state].append(target)
            if state is State.SAME:
                batch.skipped.append(Skipped(source, target))
    if batch.todo:
        check_output(journal.path, overwrite=True)  # one line, instead of one for every file
    if other := standing.pop(State.OTHER_SETTINGS):
        raise InputError(_standing(out, other, State.OTHER_SETTINGS))
    del standing[State.SAME]
    batch.problems.extend((out, _standing(out, paths, state)) for state, paths in standing.items() if paths)


def _identity(path: Path) -> tuple[int, int] | None:
    """What a file is on its disk, however it is called; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _standing(out: Path, paths: Sequence[Path], state: State) -> str:
    """One line about existing files that are not replaced."""
    named = ", ".join(path.relative_to(out).as_posix() for path in paths[:3]) + (", …" if len(paths) > 3 else "")
    what = "1 file exists" if len(paths) == 1 else f"{len(paths)} files exist"
    return f"{out}: {what} already ({named}; {state.value}); --force replaces, another folder with -o keeps both"


def _check_folder(sources: Sequence[Path], out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, a folder is expected for the output of several files")
    for source in sources:
        if source.is_dir() and same_file(source, out):
            raise InputError(f"{out}: is the input folder itself; give another folder with -o")


def _made_earlier(out: Path, sources: Sequence[Path]) -> Callable[[Path], bool]:
    """Whether a path is what an earlier call wrote into a folder inside the input folder; what is named is an input."""
    named, folder = {source for source in sources if not source.is_dir()}, out.resolve()
    inside: dict[Path, bool] = {}

    def made(path: Path) -> bool:
        if path in named:
            return False
        if path.is_symlink():
            return folder in path.resolve().parents
        above = path.parent
        if above not in inside:
            real = above.resolve()
            inside[above] = folder in (real, *real.parents)
        return inside[above]

    return made
