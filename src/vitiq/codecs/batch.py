"""Which file each file of a folder becomes, and which of them are there already."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vitiq.codecs.detect import is_compressed, suffixes_of_codecs
from vitiq.codecs.journal import Journal, State
from vitiq.errors import InputError
from vitiq.files import check_output, identity_of, same_file
from vitiq.image.folders import (
    FoundImage,
    Kind,
    counted,
    find_images,
    is_folder,
    kept_below,
    once,
    pairing_key,
    unique_names,
)
from vitiq.image.formats import FORMATS
from vitiq.text import plural

JPEG = Kind(frozenset(FORMATS["JPEG"].suffixes), lambda head: head.startswith(b"\xff\xd8\xff"))


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file of a folder that another call has made.

    Attributes:
        source, path: the input, and what was made from it.
        meanwhile: made while this call was under way, not before.
        problem: what was wrong with it when it was made, and is still.
    """

    source: Path
    path: Path
    meanwhile: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Files of a folder that are of other kinds, or left over in the one that is written to, in one line."""

    note: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be made in a folder.

    Attributes:
        todo: input and output of each file to be made.
        skipped: those that are there.
        passed_over: one line for each folder that holds files of other kinds or left over.
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
    made = _made_earlier(out, sources, journal.made_names)
    found = find_images(sources, leave_out=lambda folder: same_file(folder, out))
    names = {str(source): source for source in sources}
    problems = [(names.get(line.split(": ", 1)[0], Path()), line) for line in found.problems]
    batch = Batch(problems=problems, passed_over=[PassedOver(line) for line in found.skipped])
    pairs = [(image.path, image.name) for image in found.images if not made(image.path)]
    _fill(batch, pairs, journal, suffix, overwrite=overwrite)
    return batch


def plan_decoding(sources: Sequence[Path], journal: Journal, *, overwrite: bool) -> Batch:
    """Compressed files among files and folders, by content or suffix, and their images in the journal's folder.

    Raises:
        InputError: as `plan_encoding`.
    """
    return _plan_images(
        sources,
        journal,
        compressed,
        "compressed images",
        "give one with what `vitiq encode` wrote",
        overwrite=overwrite,
    )


def plan_restoring(sources: Sequence[Path], journal: Journal, *, overwrite: bool) -> Batch:
    """JPEGs among files and folders, by content or suffix, and their images; as `plan_decoding`."""
    return _plan_images(
        sources, journal, lambda: JPEG, "JPEGs", "give one with .jpg files, as they were received", overwrite=overwrite
    )


def _plan_images(
    sources: Sequence[Path], journal: Journal, kind: Callable[[], Kind], title: str, fix: str, *, overwrite: bool
) -> Batch:
    """Files, and those of folders that are of a kind, asked for only then; `title` says what, `fix` what to give."""
    out = journal.out
    _check_folder(sources, out)
    batch, pairs, made = Batch(), [], _made_earlier(out, sources, set)  # images are no input here
    for source in sources:
        if not is_folder(source):
            pairs.append((source, source.name))
            continue
        others: Counter[str] = Counter()
        problems: list[str] = []
        below = kept_below(source, kind(), problems, others, lambda folder: same_file(folder, out))
        inside = [path for path in below if not made(path)]
        batch.problems.extend((source, line) for line in problems)
        if not inside:
            batch.problems.append((source, f"{source}: no {title} in this folder; {fix}"))
        elif others:
            batch.passed_over.append(PassedOver(f"{source}: {counted(others)}"))
        pairs += [(path, path.relative_to(source).as_posix()) for path in inside]
    distinct = [(image.path, image.name) for image in once(FoundImage(*pair) for pair in pairs)]
    _fill(batch, distinct, journal, ".png", overwrite=overwrite)
    return batch


def compressed() -> Kind:
    """What the registered codecs decode; loads them all."""
    return Kind(suffixes_of_codecs(), is_compressed)


def output_names(names: Iterable[str], suffix: str) -> list[str]:
    """A name for the output of each input: stem and suffix; with the input's own suffix where two would share one.

    So is `p.jpg.png` beside `p.jpg`, as `p.jpg.viq` would look like that of `p.jpg`. Of names that differ in case or
    Unicode form alone, which file systems may take for one, all but the first get a number.

    Example:
        >>> output_names(["a/x.png", "y.png", "y.jpg", "Y.png", "z.png", "Z.png"], ".viq")
        ['a/x.viq', 'y.png.viq', 'y.jpg.viq', 'Y-2.viq', 'z.viq', 'Z-2.viq']
        >>> output_names(["p.jpg", "p.jpg.png"], ".viq")
        ['p.viq', 'p.jpg.png.viq']
    """
    listed = [PurePosixPath(name) for name in unique_names(names)]
    stems = Counter(pairing_key(path.with_suffix("").as_posix()) for path in listed)
    stems.update(pairing_key(path.as_posix()) for path in listed if path.suffix)
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
    inputs = {known: source for source, _ in pairs if (known := identity_of(source)) is not None}
    for (source, _), name in zip(pairs, names, strict=True):
        earlier = there.get(unicodedata.normalize("NFC", name))
        target = earlier or out / name
        identity = identity_of(target)
        if identity in inputs:
            line = f"{source}: its output {target} is the input {inputs[identity]}; give another folder with -o"
            batch.problems.append((source, line))
        elif overwrite or identity is None:
            batch.todo.append((source, target))
        else:
            state = journal.state(target, source, lines)
            standing[state].append(target)
            if state is State.SAME:
                batch.skipped.append(Skipped(source, target, problem=journal.problem_of(target, lines)))
    if left := _left_over(pairs, names, there, journal, suffix):
        batch.passed_over.append(PassedOver(left))
    if batch.todo:
        check_output(journal.path, overwrite=True)  # one line, instead of one for every file
    if other := standing.pop(State.OTHER_SETTINGS):
        raise InputError(_standing(out, other, State.OTHER_SETTINGS))
    del standing[State.SAME]
    batch.problems.extend((out, _standing(out, paths, state)) for state, paths in standing.items() if paths)


def _left_over(
    pairs: Sequence[tuple[Path, str]], names: Sequence[str], there: Mapping[str, Path], journal: Journal, suffix: str
) -> str:
    """One line about files that were made from these inputs under names that theirs are no more; empty for none.

    An input's output changes its name when another of the same stem comes or goes.
    """
    planned = {unicodedata.normalize("NFC", name) for name in names}
    former: list[tuple[str, str, Path]] = []
    for (source, below), name in zip(pairs, names, strict=True):
        path = PurePosixPath(below)
        both = (unicodedata.normalize("NFC", f"{base}{suffix}") for base in (path.with_suffix(""), path))
        former += [(one, name, source) for one in both if one in there and one not in planned]
    lines = journal.lines() if former else {}
    found = [f"{one} (now {name})" for one, name, source in former if journal.made_from(there[one], source, lines)]
    more = ", …" if len(found) > 3 else ""
    said = f"{plural(len(found), 'file')} left over under a former name: {', '.join(found[:3])}{more}"
    return f"{journal.out}: {said}; remove what is not needed, `vitiq score` finds no image for it" if found else ""


def _standing(out: Path, paths: Sequence[Path], state: State) -> str:
    """One line about existing files that are not replaced."""
    named = ", ".join(path.relative_to(out).as_posix() for path in paths[:3]) + (", …" if len(paths) > 3 else "")
    what = "1 file exists" if len(paths) == 1 else f"{len(paths)} files exist"
    return f"{out}: {what} already ({named}; {state.value}); --force replaces, another folder with -o keeps both"


def _check_folder(sources: Sequence[Path], out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, a folder is expected for the output of several files")
    for source in sources:
        if is_folder(source) and same_file(source, out):
            raise InputError(f"{out}: is the input folder itself; give another folder with -o")


def _made_earlier(out: Path, sources: Sequence[Path], names: Callable[[], set[str]]) -> Callable[[Path], bool]:
    """Whether a path below an input folder is what an earlier call wrote into `out`; what is named is an input.

    That is all that lies in `out`; where an input folder lies in it, what `names` lists.
    """
    named, folder = {source for source in sources if not is_folder(source)}, out.resolve()
    around = any(folder in source.resolve().parents for source in sources if is_folder(source))
    listed = names() if around else set()
    inside: dict[Path, Path] = {}

    def made(path: Path) -> bool:
        if path in named:
            return False
        if path.is_symlink():
            real = path.resolve()
        else:
            real = inside.setdefault(path.parent, path.parent.resolve()) / path.name
        if folder not in real.parents:
            return False
        return not around or unicodedata.normalize("NFC", real.relative_to(folder).as_posix()) in listed

    return made
