"""Folders of small images through whole commands: processor time and memory as their number grows.

python many_files.py FOLDER 1000 4000      prints a JSON object a command and number
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image


def peak_mib() -> float:
    """The most memory this process has held (VmHWM); `ru_maxrss` would hand on what its parent held."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) / 1024


def vitiq(*arguments: str) -> int:
    """Exit code of a command in this process."""
    from vitiq.cli.main import main

    sys.argv = ["vitiq", *arguments]
    try:
        main()
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else 1
    return 0


def command(*arguments: str) -> dict[str, float]:
    """Processor seconds and peak MiB of a command in a fork of this process, which has imported vitiq."""
    return measured(lambda: vitiq(*arguments))


def measured(work: Callable[[], int]) -> dict[str, float]:
    """As `command`, of anything that gives an exit code."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 77
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            code = work()
            used = resource.getrusage(resource.RUSAGE_SELF)
            facts = {"cpu_seconds": used.ru_utime + used.ru_stime, "peak_mib": peak_mib()}
            os.write(writer, json.dumps(facts).encode())
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        facts = json.loads(pipe.read() or "{}")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {**facts, "code": status}


def main() -> None:
    """See above."""
    import vitiq.cli.bench
    import vitiq.cli.decode
    import vitiq.cli.encode
    import vitiq.cli.score
    import vitiq.codecs.classical.pillow
    import vitiq.codecs.folders
    import vitiq.evaluation.scoring
    import vitiq.models.threads  # noqa: F401 - imported before any fork

    root = Path(sys.argv[1])
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(buffer, "PNG")
    for count in map(int, sys.argv[2:]):
        shutil.rmtree(root, ignore_errors=True)
        (root / "in").mkdir(parents=True)
        for number in range(count):
            (root / "in" / f"{number}.png").write_bytes(buffer.getvalue())
        places = {name: str(root / name) for name in ("in", "coded", "back")}
        for words in (
            ("encode", places["in"], "-c", "jpeg", "-o", places["coded"], "--jobs", "1"),
            ("encode", places["in"], "-c", "jpeg", "-o", places["coded"], "--jobs", "1", "--quiet"),
            ("decode", places["coded"], "-o", places["back"], "--jobs", "1"),
            ("decode", places["coded"], "-o", places["back"], "--jobs", "1", "--quiet"),
            ("score", places["in"], places["back"], "-m", "mse", "--jobs", "1"),
            ("bench", places["in"], "-c", "jpeg@50", "-m", "mse", "-o", str(root / "out"), "--dry-run", "--jobs", "1"),
        ):
            again = "--quiet" in words or "--dry-run" in words
            tries = [command(*words) for _ in range(5 if again else 1)]  # other programs only make them longer
            best = min(tries, key=lambda one: one["cpu_seconds"])
            name = words[0] + (" again" if "--quiet" in words else "")
            print(json.dumps({"files": count, "command": name, **best}), flush=True)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
