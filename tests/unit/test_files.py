"""Writing files: nothing destroyed, nothing half-made, nothing left behind.

Truth: open(2), link(2) and rename(2), and what the file system itself holds afterwards.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vitiq import files
from vitiq.errors import InputError
from vitiq.files import check_output, open_output, output_path, same_file, write_bytes, write_text


@pytest.fixture(params=["unnamed", "named", "no links"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """File systems that know unnamed files, that do not, and that know neither these nor hard links."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE")
    if request.param == "no links":

        def link(*_: Any, **__: Any) -> None:
            raise OSError(errno.EOPNOTSUPP, "no hard links")

        monkeypatch.setattr(os, "link", link)
    return str(request.param)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_new_and_existing_files(system: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.bin"
    write_bytes(path, b"one")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    path.chmod(0o640)
    write_bytes(path, b"two")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"two", 0o640)
    with pytest.raises(InputError, match=r"a\.bin: exists already .* made from photo\.png; give --force"):
        write_bytes(path, b"three", overwrite=False, source=Path("photo.png"))
    assert path.read_bytes() == b"two"
    write_bytes(tmp_path / "b.bin", b"b", overwrite=False)
    assert (tmp_path / "b.bin").read_bytes() == b"b"
    assert names(path.parent) == ["a.bin"]


def test_a_file_that_appears_meanwhile_is_kept(system: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    if system == "no links":  # there no call of the system refuses to replace: only what is seen before is kept
        path.write_bytes(b"early")

    def meanwhile() -> None:
        with open_output(path, overwrite=False) as file:
            file.write(b"late")
            path.write_bytes(b"early")

    with pytest.raises(InputError, match="exists already"):
        meanwhile()
    assert path.read_bytes() == b"early"
    assert names(tmp_path) == ["a.bin"]


def test_links_are_followed(system: str, tmp_path: Path) -> None:
    real, link, dangling = tmp_path / "deep" / "real.bin", tmp_path / "link.bin", tmp_path / "dangling.bin"
    write_bytes(real, b"one")
    link.symlink_to("deep/real.bin")
    dangling.symlink_to("deep/made.bin")
    write_bytes(link, b"two")
    assert link.is_symlink()
    assert real.read_bytes() == b"two"
    write_bytes(dangling, b"new")
    assert dangling.is_symlink()
    assert (tmp_path / "deep" / "made.bin").read_bytes() == b"new"
    loop = tmp_path / "loop"
    loop.symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    with pytest.raises(InputError, match="loop: cannot be written"):
        write_bytes(loop, b"")
    with pytest.raises(InputError, match="loop: cannot be written"):
        check_output(loop, overwrite=True)


def test_a_link_that_leads_nowhere_makes_no_folders_there(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to("made.png")
    (tmp_path / "far.png").symlink_to("no/where.png")
    (tmp_path / "folder").symlink_to("no")
    before = names(tmp_path)
    for path, overwrite in (
        (tmp_path / "gone.png", False),
        (tmp_path / "far.png", False),
        (tmp_path / "far.png", True),
        (tmp_path / "folder" / "a.png", False),
        (tmp_path / "folder" / "new" / "a.png", True),
    ):
        said = "is a link to [^ ]*, which is not there; mend or remove the link"
        with pytest.raises(InputError, match=said):
            write_bytes(path, b"x", overwrite=overwrite)
        with pytest.raises(InputError, match=said):
            check_output(path, overwrite=overwrite)
    with pytest.raises(InputError, match="is a link to no"), output_path(tmp_path / "far.png"):
        pass
    assert names(tmp_path) == before


def test_a_read_only_file_system_is_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As open(2) answers there, to root too; access(2) is of the other kind for a folder without permission."""
    (tmp_path / "a.bin").write_bytes(b"")
    flags = os.statvfs(tmp_path).f_flag
    for flag, said in ((flags | os.ST_RDONLY, "Read-only file system"), (0, "Permission denied|write-protected")):
        monkeypatch.setattr(os, "access", lambda *_, **__: False)
        monkeypatch.setattr(os, "statvfs", lambda _, flag=flag: SimpleNamespace(f_flag=flag))
        for path in (tmp_path / "new.bin", tmp_path / "a.bin"):
            with pytest.raises(InputError, match=rf"bin: cannot be written \(({said})\); choose another output"):
                check_output(path, overwrite=True)


def test_folders_and_files_in_the_way_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "file" / "a.bin", "Not a directory"),
        (tmp_path / "file" / "b" / "a.bin", "Not a directory"),
        (tmp_path / ("n" * 256), "File name too long"),
        (tmp_path / "nul\0", "embedded null"),
    ):
        for use in (write_bytes, lambda path, _: check_output(path, overwrite=False)):
            with pytest.raises(InputError, match=said):
                use(path, b"x")
    assert names(tmp_path) == ["file"]


def test_long_and_odd_names(system: str, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 200] * 5)
    odd = [
        b"n" * 255,
        b"n" * 250 + b".png",
        b"caf\xe9.png",
        "e\u0301.png".encode(),
        "é.png".encode(),
        b"-",
        b" a\n.png",
    ]
    for name in odd:
        path = Path(os.fsdecode(os.fsencode(deep) + b"/" + name))
        write_bytes(path, name)
        assert path.read_bytes() == name
    assert len(list(deep.iterdir())) == len(odd)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_devices_are_written_in_place() -> None:
    before = {name: os.lstat(name) for name in ("/dev/null", "/dev/full")}
    write_bytes(Path("/dev/null"), b"gone", overwrite=False)
    with pytest.raises(InputError, match=r"/dev/full: cannot be written .No space left on device"):
        write_bytes(Path("/dev/full"), b"never")
    assert {name: (s.st_ino, s.st_mode) for name, s in before.items()} == {
        name: (os.lstat(name).st_ino, os.lstat(name).st_mode) for name in before
    }


def test_pipes_are_written_in_place(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"through", overwrite=False)
    reader.join()
    assert got == [b"through"]
    assert names(tmp_path) == ["pipe"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_whose_reader_goes_is_named(tmp_path: Path) -> None:
    """Truth: pipe(7), a write to a pipe without readers fails with EPIPE."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    def write() -> None:
        with open_output(pipe) as file:
            os.close(reader)
            file.write(b"never")

    with pytest.raises(InputError, match=r"pipe: cannot be written .Broken pipe"):
        write()


def test_a_broken_pipe_is_no_fault_of_a_regular_file(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), open_output(tmp_path / "a.bin"):
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout")
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "LINK"])
def test_standard_output_is_continued(name: str, tmp_path: Path) -> None:
    if name == "LINK":
        name = str(tmp_path / "link")
        Path(name).symlink_to("/dev/stdout")
    program = f"from vitiq.files import *; from pathlib import Path; write_bytes(Path({name!r}), b'b', overwrite=False)"
    out = tmp_path / "out"
    with out.open("wb") as file:
        file.write(b"a")
        file.flush()
        subprocess.run([sys.executable, "-c", program], stdout=file, check=True)
        file.seek(0, os.SEEK_END)
        file.write(b"c")
    assert out.read_bytes() == b"abc"
    piped = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert piped.stdout == b"b"


def test_folders_and_files_without_permission(as_user: Path) -> None:
    write_bytes(as_user / "a.bin", b"kept")
    (as_user / "a.bin").chmod(0o444)
    with pytest.raises(InputError, match=r"a\.bin: cannot be written .write-protected"):
        write_bytes(as_user / "a.bin", b"x")
    as_user.chmod(0o555)
    for use in (write_bytes, lambda path, _: check_output(path, overwrite=True)):
        for path in (as_user / "b.bin", as_user / "new" / "b.bin"):
            with pytest.raises(InputError, match=r"b\.bin: cannot be written .Permission denied"):
                use(path, b"x")
    assert names(as_user) == ["a.bin"]


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_failing_disk_is_one_line(
    call: str, number: int, system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"kept")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    def write() -> None:
        with open_output(path):
            fail()

    def sync() -> None:
        monkeypatch.setattr(os, "fsync", fail)
        write_bytes(path, b"x")

    with pytest.raises(InputError, match=re.escape(f"a.bin: cannot be written ({os.strerror(number)})")):
        (write if call == "write" else sync)()
    assert (path.read_bytes(), names(tmp_path)) == (b"kept", ["a.bin"])


def test_a_full_disk_in_another_process(tmp_path: Path) -> None:
    program = (
        "from vitiq.files import *; from pathlib import Path; import sys; write_bytes(Path(sys.argv[1]), b'x' * 99_999)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.bin")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1].endswith("a.bin: cannot be written (File too large); choose another output")
    assert names(tmp_path) == []


def test_errors_of_other_files_stay_their_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"), open_output(tmp_path / "a.bin"):
        (tmp_path / "gone").read_bytes()
    with pytest.raises(BrokenPipeError), open_output(tmp_path / "a.bin"):
        raise BrokenPipeError
    assert names(tmp_path) == []


PROGRAM = """
import sys, time
from pathlib import Path
from vitiq.files import open_output
with open_output(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_process_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"kept")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - also where SIGINT is ignored here
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
    assert (path.read_bytes(), names(tmp_path)) == (b"kept", ["a.bin"])


def test_ctrl_c_leaves_nothing(system: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for use in (open_output, output_path):
        with pytest.raises(KeyboardInterrupt), use(path):
            raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_readers_see_the_old_or_the_new_file(tmp_path: Path) -> None:
    path, wrong, ended = tmp_path / "a.bin", [], threading.Event()
    contents = [bytes([i]) * 50_000 for i in range(2)]
    write_bytes(path, contents[0])

    def read() -> None:
        while not ended.is_set():
            data = path.read_bytes()
            if data not in contents:
                wrong.append(len(data))

    reader = threading.Thread(target=read)
    reader.start()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        for content in contents:
            write_bytes(path, content)
    ended.set()
    reader.join()
    assert wrong == []


def test_paths_for_other_libraries(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with output_path(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode), names(tmp_path)) == (b"new", 0o600, ["a.bin"])


def test_an_input_is_never_the_output(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"x")
    (tmp_path / "hard.png").hardlink_to(photo)
    (tmp_path / "soft.png").symlink_to("photo.png")
    (tmp_path / "folder").symlink_to(".")
    for name in ("photo.png", "hard.png", "soft.png", "folder/photo.png"):
        assert same_file(tmp_path / name, photo)
        with pytest.raises(InputError, match=r"is the input .*photo.png itself"):
            check_output(tmp_path / name, [photo], overwrite=True)
    check_output(tmp_path / "other.png", [photo], overwrite=False)
    check_output(Path("/dev/null"), [Path("/dev/null")], overwrite=False)
    (tmp_path / "other.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"other\.png: exists already .* made from .*photo\.png"):
        check_output(tmp_path / "other.png", [photo], overwrite=False)
    check_output(tmp_path / "other.png", [photo], overwrite=True)


def test_text_with_names_that_are_no_text(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", f"{os.fsdecode(b'caf' + bytes([233]))} é")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "caf\ufffd é"


def test_every_module_writes_through_this_one() -> None:
    """A temporary file elsewhere would be a second way of writing; a study's store alone has its own (parts.py)."""
    package = Path(files.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "files.py":
            assert not [word for word in ("mkstemp", "NamedTemporaryFile", "os.replace") if word in text], path


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="the system knows no files without a name")
def test_writers_have_no_name_on_disk_until_they_are_done(tmp_path: Path) -> None:
    """What `kill -9` leaves at any moment before the end: nothing. Truth: the folder, listed while they write."""
    (tmp_path / "old").write_bytes(b"old")
    with files.named_at_end(tmp_path / "new") as part:
        part.write_bytes(b"by a library")
        assert {path.name for path in tmp_path.iterdir()} == {"old"}
    with files.output_path(tmp_path / "old") as part:
        part.write_bytes(b"over an older one")
        assert {path.name for path in tmp_path.iterdir()} == {"old", "new"}
        assert (tmp_path / "old").read_bytes() == b"old"
    assert (tmp_path / "new").read_bytes() == b"by a library"
    assert (tmp_path / "old").read_bytes() == b"over an older one"
    with suppress(ZeroDivisionError), files.named_at_end(tmp_path / "never") as part:
        part.write_bytes(b"half")
        raise ZeroDivisionError
    assert {path.name for path in tmp_path.iterdir()} == {"old", "new"}


def test_quick_writes_replace_and_keep_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "folder" / "x"
    for number, unnamed in enumerate((True, True, False, False)):
        if not unnamed:
            monkeypatch.setattr(files, "_without_name", lambda _: None)
        if target.exists():
            target.chmod(0o640)
        files.write_quickly(target, bytes([number]))
        assert target.read_bytes() == bytes([number])
        assert [path.name for path in target.parent.iterdir()] == ["x"]
    assert target.stat().st_mode & 0o777 == 0o640
