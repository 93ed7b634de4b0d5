"""The tutorial, executed. Truth: the outputs that it shows, numbers within what processors differ by."""

from __future__ import annotations

import math
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.ipynb"
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+")


def outputs(notebook: Any) -> list[str]:
    """What each cell of code shows as text."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return ["".join(part.get("text") or part["data"]["text/plain"] for part in cell.outputs) for cell in cells]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_the_tutorial_shows_what_its_code_gives() -> None:
    nbformat, nbclient = import_module("nbformat"), import_module("nbclient")
    notebook = nbformat.read(PAGE, as_version=4)
    shown = outputs(notebook)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(PAGE.parent)}}).execute()
    for found, expected in zip(outputs(notebook), shown, strict=True):
        assert NUMBER.sub("#", found) == NUMBER.sub("#", expected)
        for a, b in zip(NUMBER.findall(found), NUMBER.findall(expected), strict=True):
            assert math.isclose(float(a), float(b), rel_tol=0.02, abs_tol=0.02), f"{found!r} for {expected!r}"


def test_the_tutorial_is_small() -> None:
    assert PAGE.stat().st_size < 150_000
