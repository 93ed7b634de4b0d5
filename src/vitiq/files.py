"""The one writer of files: atomically, and never over a file that was not meant.

A regular file is written beside its target and renamed, so that every reader sees the old file or the new one. On Linux
the new file has no name until it is whole (O_TMPFILE, open(2)), so that a killed process leaves nothing behind. Links
are followed, modes are kept. What is no regular file (a device, a pipe, standard output) is written in place.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vitiq.errors import InputError, unwritable

MAX_LINKS = 40
"""Links followed before a path counts as a loop, as Linux does (path_resolution(7))."""

DESCRIPTORS = re.compile(r"(/proc/(self|thread-self|\d+)(/task/\d+)?/fd|/dev/fd)")
"""Folders whose entries are open files of a process."""

UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOTSUP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.EPERM, errno.EXDEV}
"""What file systems answer that know no unnamed files or no hard links."""


def write_bytes(path: Path, data: bytes, *, overwrite: bool = True, source: Path | None = None) -> None:
    """Write a file atomically; makes its folder.

    Args:
        path: where to; links are followed, and what is no regular file is written in place.
        data: the whole content.
        overwrite: False refuses to replace an existing file.
        source: the file that `data` was made from, for the message.

    Raises:
        InputError: it exists already, or cannot be written (permission, full disk, …).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_bytes(Path(folder) / "new" / "a.bin", b"abc")
        ...     (Path(folder) / "new" / "a.bin").read_bytes()
        b'abc'
    """
    with open_output(path, overwrite=overwrite, source=source) as file:
        file.write(data)


def write_changed(path: Path, data: bytes) -> None:
    """As `write_bytes`, unless the file holds just this: a finished folder may be read-only."""
    try:
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    except OSError:
        pass
    write_bytes(path, data)


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8; bytes of file names that are no text (surrogates) become U+FFFD."""
    data = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode("utf-8")
    write_bytes(path, data)


def write_quickly(path: Path, data: bytes) -> None:
    """Replace or make a file atomically, without waiting for the disk; makes its folder. For files of a study.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _unnamed(path, overwrite=True, durable=False) as file:
        file.write(data)


@contextmanager
def open_output(path: Path, *, overwrite: bool = True, source: Path | None = None) -> Iterator[BinaryIO]:
    """A binary file that stands under its name once the block ends without an exception.

    Arguments and errors as `write_bytes`. An exception in the block, Ctrl-C included, leaves what was there before.
    """
    path = Path(path)
    with _one_line(path):
        in_place = _in_place(path)
        if in_place is not None:
            with os.fdopen(in_place, "wb") as file:
                yield file
            return
        target = _target(path, overwrite=overwrite, source=source)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _unnamed(target, overwrite) as file:
            yield file


@contextmanager
def output_path(path: Path) -> Iterator[Path]:
    """As `open_output`, for libraries that write to a path: as `named_at_end`, in one line where it fails."""
    path = Path(path)
    with _one_line(path):
        target = _target(path, overwrite=True, source=None)
        with named_at_end(target) as part:
            yield part


@contextmanager
def named_at_end(target: Path) -> Iterator[Path]:
    """A path to write to, whose content stands under `target` once the block ends; makes the folder.

    On Linux the file has no name until then, so that a killed process leaves nothing. The library must write to the
    path itself, and not put a file of its own there.

    Raises:
        OSError: it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _without_name(target.parent)
    if descriptor is not None:
        with os.fdopen(descriptor, "rb+") as file:
            yield Path(f"/proc/self/fd/{descriptor}")
            _finish(file, target)
            _give_name(file, target, overwrite=True, durable=True)
        return
    temporary = _temporary(target)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            _finish(file, target)
        temporary.replace(target)
    finally:
        _remove(temporary)


def same_file(first: Path, second: Path) -> bool:
    """True where both names lead to one file (the same path, a symbolic or a hard link, another case or form)."""
    try:
        return Path(first).samefile(second)
    except (OSError, ValueError):
        return os.path.realpath(first) == os.path.realpath(second)


def identity_of(path: Path) -> tuple[int, int] | None:
    """What a file is on its disk, however it is called; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def check_output(path: Path, inputs: Iterable[Path] = (), *, overwrite: bool, option: str = "-o") -> None:
    """Refuse an output before any work is done for it.

    Args:
        path: file to write.
        inputs: files that the output is made from: it must be none of them, nor a link to one.
        overwrite: False refuses an existing file.
        option: of the command that names the output, for the message.

    Raises:
        InputError: as `write_bytes` would raise, or the output is one of the inputs.
    """
    path = Path(path)
    sources = list(inputs)
    with _one_line(path):
        for source in sources:
            if not _is_device(path) and same_file(path, source):
                raise InputError(f"{path}: is the input {source} itself; give another output with {option}")
        if not _is_special(path):
            if not overwrite and path.is_file():
                raise InputError(_exists(path, sources[0] if len(sources) == 1 else None, option))
            target = _target(path, overwrite=overwrite, source=None)
            above = next(folder for folder in target.parents if folder.exists())
            if not above.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, f"{above} is not a folder")
            _check_access(above, os.W_OK | os.X_OK, os.strerror(errno.EACCES))


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """What the system says about a write, as an InputError that names the path."""
    try:
        yield
    except OSError as error:
        # That the reader of standard output goes is for the program to answer; a regular file has no reader.
        if isinstance(error, BrokenPipeError) and (_descriptor(path) == 1 or not _is_device(path)):
            raise
        # An error of another file that the block works on carries that file's name, one of a library its own type.
        foreign = error.errno is None or type(error).__module__ != "builtins"
        if foreign or (error.filename is not None and not _about(error, path)):
            raise
        raise InputError(unwritable(path, error)) from error
    except ValueError as error:
        if "embedded null" not in str(error):
            raise
        raise InputError(f"{str(path)!r}: cannot be written ({error}); choose another output") from error


def _about(error: OSError, path: Path) -> bool:
    """True where a failed call was about the output, its temporary file or a folder above it."""
    name = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes | os.PathLike) else None
    if name is None:
        return False
    target = Path(os.path.realpath(path))
    return name == path or name.name.startswith(".vitiq-") or name in {*path.parents, target, *target.parents}


def _is_special(path: Path) -> bool:
    """True for what is written in place: a device, a pipe, a socket, an open descriptor."""
    return _descriptor(path) is not None or _is_device(path)


def _is_device(path: Path) -> bool:
    """True for a device, a pipe or a socket."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _in_place(path: Path) -> int | None:
    """An open descriptor of what is written in place; None for a regular or a new file."""
    number = _descriptor(path)
    if number is not None:
        # A copy of the descriptor writes where the last writer stopped; opening it anew would begin at its start.
        return os.dup(number)
    return os.open(path, os.O_WRONLY) if _is_special(path) else None


def _descriptor(path: Path) -> int | None:
    """Number of the own open file that a path such as /dev/stdout stands for."""
    for _ in range(MAX_LINKS):
        parent = os.path.realpath(path.parent)
        if DESCRIPTORS.fullmatch(parent):
            own = parent == "/dev/fd" or parent.split("/")[2] in {"self", "thread-self", str(os.getpid())}
            return int(path.name) if own and path.name.isdigit() else None
        if not path.is_symlink():
            return None
        path = Path(parent) / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _target(path: Path, *, overwrite: bool, source: Path | None) -> Path:
    """The regular file that a path leads to, which may not exist yet."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        target = Path(os.path.realpath(path))
        _check_links(path, may_follow=overwrite and target.parent.is_dir())
        return target
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder, a file to write is expected")
    if not overwrite:
        raise InputError(_exists(path, source))
    target = Path(os.path.realpath(path))
    _check_access(target, os.W_OK, "write-protected")
    return target


def _check_links(path: Path, *, may_follow: bool) -> None:
    """Refuse a new file behind a link that leads nowhere: no folders are made where an old link happens to point."""
    for part in (path, *path.parents):
        if part.is_symlink() and not (may_follow and part == path):
            gone = f"{'' if part == path else f'{part} '}is a link to {part.readlink()}, which is not there"
            raise InputError(f"{path}: {gone}; mend or remove the link, or choose another output")
        if part.parent.exists():
            return


def _check_access(path: Path, mode: int, refused: str) -> None:
    """Raise as open(2) would for the user that the process acts as; `refused` is said where permission lacks."""
    if os.access(path, mode, effective_ids=os.access in os.supports_effective_ids):
        return
    if os.statvfs(path).f_flag & os.ST_RDONLY:  # access(2) tells the two apart, os.access does not
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    raise PermissionError(errno.EACCES, refused)


def _exists(path: Path, source: Path | None, option: str = "-o") -> str:
    made = f" by what is made from {source}" if source is not None else ""
    return f"{path}: exists already and is not replaced{made}; give --force, or another output with {option}"


def _temporary(target: Path) -> Path:
    """A short name in the target's folder: a name of 255 bytes cannot be made longer."""
    return target.with_name(f".vitiq-{secrets.token_hex(4)}.tmp")


@contextmanager
def _unnamed(target: Path, overwrite: bool, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A new file that gets its name at the end; with a temporary name where the file system wants one."""
    descriptor = _without_name(target.parent)
    if descriptor is None:
        with _named(target, overwrite, durable=durable) as file:
            yield file
        return
    with os.fdopen(descriptor, "wb+") as file:
        yield file
        _finish(file, target, durable=durable)
        _give_name(file, target, overwrite, durable=durable)


def _without_name(folder: Path) -> int | None:
    """A descriptor of a new file without a name; None where the system or file system knows no such files."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(folder, flag | os.O_RDWR, 0o666)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    return None


def _give_name(file: BinaryIO, target: Path, overwrite: bool, *, durable: bool) -> None:
    """Put an unnamed file in the target's place."""
    if _link(file, target):
        return
    if not overwrite and target.exists():
        raise InputError(_exists(target, None))
    temporary = _temporary(target)
    try:
        if not _link(file, temporary):
            with temporary.open("xb") as copy:
                file.seek(0)
                shutil.copyfileobj(file, copy)
                _finish(copy, target, durable=durable)
        _uninterrupted(lambda: temporary.replace(target))
    finally:
        _remove(temporary)


def _remove(temporary: Path) -> None:
    """Remove a temporary file, where it still is; that this fails must not hide how the write went."""
    with suppress(OSError):
        _uninterrupted(temporary.unlink)


def _uninterrupted(call: Callable[[], object]) -> None:
    """Once more after EINTR, as Python itself does for reads and writes (PEP 475), though not for these calls."""
    while True:
        with suppress(InterruptedError):
            call()
            return


def _link(file: BinaryIO, target: Path) -> bool:
    """Name an unnamed file; False where that name is taken or the file system cannot."""
    number = file.fileno()
    try:
        # With a folder given, Python calls linkat(2) with AT_SYMLINK_FOLLOW, which /proc/self/fd needs.
        _uninterrupted(lambda: os.link(f"/proc/self/fd/{number}", target, src_dir_fd=number, follow_symlinks=True))
    except OSError as error:
        if error.errno not in UNSUPPORTED | {errno.EEXIST}:
            raise OSError(error.errno, error.strerror, str(target)) from error
        return False
    return True


@contextmanager
def _named(target: Path, overwrite: bool, *, durable: bool) -> Iterator[BinaryIO]:
    """A new file under a temporary name, which the end of the block or any exception removes."""
    # The name comes before the file, so that there is no moment at which Ctrl-C could leave one that is not known.
    temporary = _temporary(target)
    try:
        with temporary.open("xb") as file:
            yield file
            _finish(file, target, durable=durable)
        if overwrite:
            temporary.replace(target)
            return
        try:
            os.link(temporary, target)
        except FileExistsError as error:
            raise InputError(_exists(target, None)) from error
        except OSError:  # a file system without hard links
            temporary.replace(target)
    finally:
        _remove(temporary)


def _finish(file: BinaryIO, target: Path, *, durable: bool = True) -> None:
    """Bring a new file to disk (if not `durable`, to the kernel), with mode and owner of the one that it replaces."""
    file.flush()
    with suppress(FileNotFoundError):
        old = target.stat()
        with suppress(OSError):  # only root may give files away
            if (old.st_uid, old.st_gid) != (os.getuid(), os.getgid()):
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
    if durable:
        os.fsync(file.fileno())
