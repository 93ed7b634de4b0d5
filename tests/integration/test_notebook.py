"""Progress bars in notebooks, executed as Jupyter does.

Truth: what the notebook's page shows: a widget's view where ipywidgets is installed, a line of text where it is not,
and in neither case a warning.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

VIEW = "application/vnd.jupyter.widget-view+json"
WITHOUT = "import sys\nsys.modules['ipywidgets'] = None\n"
CELLS = {
    "a search": "vitiq.encode('a/0.png', vitiq.codec('inversion', iterations=3), bytes=400)\n",
    "pairs of files": "vitiq.score_folder('a', 'a', 'mse', jobs=1)\n",
    "sets of images": "vitiq.score_sets('a', 'a', 'patch-kid-pixel', jobs=1)\n",
    "a study": "vitiq.run_study('a', 'jpeg@20', 'out', 'mse', executor='inline')\n",
}


def executed(folder: Path, first: str) -> Any:
    """A notebook that calls everything with a bar, after a run."""
    nbformat, nbclient = import_module("nbformat"), import_module("nbclient")
    (folder / "a").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "a" / f"{number}.png")
    sources = [f"{first}import vitiq, warnings\nwarnings.simplefilter('always')\n", *(f"{x};" for x in CELLS.values())]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def texts(cell: Any) -> str:
    """All that a cell writes."""
    return "".join(part.get("text", "") for part in cell.outputs)


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")


def test_a_widget_shows_what_is_done(tmp_path: Path) -> None:
    notebook = executed(tmp_path, "")
    nothing, *cells = notebook.cells
    assert not nothing.outputs
    states = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    bars = [found["state"] for found in states if found["model_name"] == "FloatProgressModel"]
    assert [found["max"] for found in bars] == [3, 3, 6, 3]
    assert all(found["value"] == found["max"] and found["bar_style"] == "success" for found in bars)
    for name, cell in zip(CELLS, cells, strict=True):
        views = [part.data for part in cell.outputs if part.output_type == "display_data" and VIEW in part.data]
        assert len(views) == 1, (name, cell.outputs)
        assert "arning" not in texts(cell), name


def test_without_ipywidgets_a_line_of_text_does(tmp_path: Path) -> None:
    nothing, *cells = executed(tmp_path, WITHOUT).cells
    assert not nothing.outputs
    for name, cell in zip(CELLS, cells, strict=True):
        assert "100%" in texts(cell), name
        assert "arning" not in texts(cell), name
