"""Fails every nth call that writes, in a forked child a failure, and says what was left. Run with the shim preloaded.

LD_PRELOAD=fault.so python interrupted.py encode FOLDER [STEP [FIRST]]      prints a JSON object a failure
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ERRORS = ("ENOSPC", "EIO", "EROFS", "EINTR")
OLD = b"what stood there before"


def shim() -> ctypes.CDLL:
    """The preloaded library, found in the process itself."""
    library = ctypes.CDLL(None)
    library.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int]
    library.fault_seen.restype = ctypes.c_long
    return library


def vitiq(*arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a command in this process."""
    from vitiq.cli.main import main

    sys.argv = ["vitiq", *arguments]
    said = io.StringIO()
    code: str | int | None = 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code
    return 1 if isinstance(code, str) else int(code or 0), said.getvalue()


def encode(folder: Path) -> tuple[int, str]:
    """A file over an older one."""
    return vitiq("encode", str(folder.parent / "in.png"), "-c", "jpeg", "-o", str(folder / "x.jpg"), "--force")


def run(folder: Path) -> tuple[int, str]:
    """A run of one image, one codec, one metric."""
    image = str(folder.parent / "in.png")
    return vitiq("run", image, "-c", "jpeg", "--comparators", "webp", "--metrics", "mse", "-o", str(folder), "--quiet")


OPERATIONS: dict[str, Callable[[Path], tuple[int, str]]] = {"encode": encode, "run": run}


def contents(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files}


def in_child(work: Callable[[], dict[str, object]]) -> dict[str, object]:
    """What a forked child found; a traceback in it is code -1."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            result = work()
        except BaseException as raised:  # what must not be
            result = {"code": -1, "said": f"traceback: {type(raised).__name__}: {raised}", "calls": 0}
        shim().fault_arm(b"", 0, 0)
        os.write(writer, json.dumps(result).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer: dict[str, object] = json.loads(pipe.read() or '{"code": -2, "said": "died", "calls": 0}')
    os.waitpid(child, 0)
    return answer


def attempt(operation: str, folder: Path, nth: int, error: int) -> dict[str, object]:
    """One failure, in a child; a pipe brings what the child saw."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if operation == "encode":
        (folder / "x.jpg").write_bytes(OLD)

    def failing() -> dict[str, object]:
        library = shim()
        library.fault_arm(str(folder).encode(), nth, error)
        code, said = OPERATIONS[operation](folder)
        calls = library.fault_seen()
        library.fault_arm(b"", 0, 0)
        return {"code": code, "said": said, "calls": calls}

    answer = in_child(failing)
    left = contents(folder)
    again = in_child(lambda: vitiq_again(operation, folder)) if answer["code"] == 1 else None
    return {**answer, "left": left, "again": again, "after": contents(folder)}


def vitiq_again(operation: str, folder: Path) -> dict[str, object]:
    """The same command once the file system works again."""
    code, said = OPERATIONS[operation](folder)
    return {"code": code, "said": said}


def every(operation: str, folder: Path, step: int = 1, first: int = 1) -> Iterator[dict[str, object]]:
    """A clean pass first (nth 0), then a failure of every `step`th call from `first` on with every error."""
    clean = attempt(operation, folder, 0, 0)
    yield {"nth": 0, "error": "", **clean}
    for nth in range(first, int(str(clean["calls"])) + 1, step):
        for name in ERRORS:
            yield {"nth": nth, "error": name, **attempt(operation, folder, nth, getattr(errno, name))}


def main() -> None:
    """See above."""
    import warnings

    warnings.simplefilter("ignore")
    operation, folder = sys.argv[1], Path(sys.argv[2])
    step, first = (int(sys.argv[at]) if len(sys.argv) > at else 1 for at in (3, 4))
    warm = folder.parent / "warm"
    warm.mkdir(exist_ok=True)
    OPERATIONS[operation](warm)  # imports, before any fork
    for line in every(operation, folder, step, first):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
