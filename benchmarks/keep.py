"""What a benchmark measured, kept in a folder of JSON files, so that the same command resumes."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def today() -> str:
    """The day, and the commit of this checkout (with a + where files differ from it)."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=7", "--exclude", "*"]
    done = subprocess.run([*command, "--dirty=+"], capture_output=True, text=True, check=False)
    return f"{datetime.datetime.now(datetime.UTC).date()}, {done.stdout.strip() or 'no checkout'}"


def kept(folder: Path | None, name: str, of: Sequence[str], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` gives, or gave in an earlier run; nothing ({}) is not kept.

    Args:
        folder: where it is kept; None keeps nothing.
        name: what is measured.
        of: the programs that take part; where others did, it is measured anew.
    """
    path = None if folder is None else folder / f"{re.sub('[^a-z0-9-]+', '_', name)}.json"
    if path is not None and path.exists():
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if found["of"] == list(of):
            return dict(found["found"])
    print(name, file=sys.stderr, flush=True)
    result = work()
    if path is not None and result:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"of": list(of), "found": result}, indent=1) + "\n", encoding="utf-8")
    return result
