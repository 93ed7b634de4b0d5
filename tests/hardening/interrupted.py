"""Fails every nth call that writes, in a forked child a failure, and says what was left. Run with the shim preloaded.

LD_PRELOAD=fault.so python interrupted.py encode|run|processes FOLDER [STEP]

Prints a JSON object for each failure that was not borne as it must be, then one of the whole; resumes, with what it has
in OPERATION.jsonl beside FOLDER. `processes` is `run` with two workers, which are forks; the nth call fails in each
process, calls that the parent made before the fork counted.
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
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from killed import fork_workers

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


def run(folder: Path, *workers: str) -> tuple[int, str]:
    """A run of one image, two codecs, one metric."""
    work = [str(folder.parent / "in.png"), "-c", "jpeg", "--comparators", "webp", "--metrics", "mse"]
    return vitiq("run", *work, "-o", str(folder), "--quiet", *(workers or ("--executor", "inline")))


def processes(folder: Path) -> tuple[int, str]:
    """The same with workers."""
    return run(folder, "--executor", "processes", "--jobs", "2")


OPERATIONS: dict[str, Callable[[Path], tuple[int, str]]] = {"encode": encode, "run": run, "processes": processes}


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


def every(
    operation: str, folder: Path, clean: dict[str, object], step: int, done: set[tuple[int, str]]
) -> Iterator[dict[str, object]]:
    """A failure of every `step`th call with every error, but for those that are done."""
    for nth in range(1, int(str(clean["calls"])) + 1, step):
        for name in ERRORS:
            if (nth, name) not in done:
                yield {"nth": nth, "error": name, **attempt(operation, folder, nth, getattr(errno, name))}


def wrong(operation: str, clean: Any, failure: Any) -> str:
    """What is not as it must be after a failure, in words; empty where all is.

    Truth: the old file or the new one, whole, and nothing beside it; one line or success; afterwards the same command
    ends in what an undisturbed one makes.
    """
    said: str = failure["said"]
    if failure["code"] not in {0, 1}:
        return f"exit code {failure['code']}"
    if failure["code"] == 1 and (not said.startswith("vitiq: ") or said.count("\n") != 1 or "/proc/" in said):
        return "not one line that names the place"
    if failure["code"] == 1 and failure["again"] != {"code": 0, "said": ""}:
        return f"the same command afterwards: {failure['again']}"
    if operation == "encode":
        old = hashlib.sha256(OLD).hexdigest()[:16]
        whole = [{"x.jpg": old}, clean["left"]]
        return "" if failure["left"] in whole else f"half-made: {failure['left']}"
    same = {name: value for name, value in clean["left"].items() if name.startswith(("bit", "recon", "orig"))}
    if not same.items() <= failure["after"].items():
        return "other files afterwards than a run left alone makes"
    hidden = [name for name in failure["after"] if Path(name).name.startswith(".") and name != ".vitiq"]
    return f"left behind: {hidden}" if hidden else ""


def main() -> None:
    """See above."""
    warnings.simplefilter("ignore")
    operation, folder = sys.argv[1], Path(sys.argv[2])
    step = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    warm, kept = folder.parent / "warm", folder.parent / f"{operation}.jsonl"
    warm.mkdir(exist_ok=True)
    {**OPERATIONS, "processes": run}[operation](warm)  # imports, before any fork
    fork_workers()
    clean = attempt(operation, folder, 0, 0)
    done = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    found = Counter(line["wrong"] for line in done)
    for failure in every(operation, folder, clean, step, {(line["nth"], line["error"]) for line in done}):
        failure["wrong"] = wrong(operation, clean, failure)
        found[str(failure["wrong"])] += 1
        with kept.open("a") as file:
            file.write(json.dumps(failure) + "\n")
        if failure["wrong"]:
            print(json.dumps({key: failure[key] for key in ("nth", "error", "wrong", "said")}), flush=True)
    tried = found.total()
    print(json.dumps({"calls": clean["calls"], "tried": tried, "wrong": tried - found[""], "code": clean["code"]}))


if __name__ == "__main__":
    main()
