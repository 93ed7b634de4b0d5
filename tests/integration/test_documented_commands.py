"""Every command line in README and docs: its options exist, and it runs, or it needs data that a test cannot make.

Truth: the pages themselves. A page's commands run from top to bottom in one folder that holds small images under the
names that the pages use, as a reader would type them.
"""

from __future__ import annotations

import re
import shlex
import shutil
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from vitiq.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]

NEEDS = {
    r"\bmodels fetch\b": "a network",
    r"^vitiq train\b": "training data",
    r"\bruns/": "weights of a training of one's own",
    r"^vitiq validate\b": "opinion scores",
    r"^vitiq view\b": "a browser; tests/browser",
    r"\bslurm\b|\bbench (submit|worker)\b": "a cluster; tests/cluster",
    r"--(weights|panel|generator) ": "a checkpoint",
    r"-m (lpips|dists|fid|kid)|\bkid,|real\.npz": "weights that are fetched",
    r"iw-ssim|jpeg-ai-cttc|butteraugli": "images of 161 pixels per side, or a program that is not part of vitiq",
    r"^vitiq restore\b": "JPEGs of one's own; tests/integration/test_restore.py",
    r"cmd:": "programs that are not part of vitiq",
    r"\bOUT\b|\$\w|^vitiq (bd|rd|report|bench (show|ls|export|clean)) ": "a finished study",
    r"my-codec|my-model|kodak|\.toml|compressai": "a codec or data of one's own",
}
"""What a command line that is not run needs, by a pattern in it; its options are checked all the same."""


def documented(page: Path) -> Iterator[str]:
    """Command lines of a page's code blocks, continued lines joined, comments gone."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = "\n".join(re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    for line in re.findall(r"^ {4}(vitiq [a-z].*)$", text, re.MULTILINE) + re.findall(
        r"^(vitiq .*)$", fenced, re.MULTILINE
    ):
        if page.name != "cli.md":
            yield re.split(r"\s+#|\s+[>|]\s", re.sub(r" \[[^\]]*\]", "", line))[0].strip()


LINES = [(page, line) for page in PAGES for line in documented(page)]


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{p.stem}: {line}" for p, line in LINES])
def test_options_exist(page: Path, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Options that name what must exist are looked at, too.
    monkeypatch.chdir(tmp_path)
    for folder in ("study", "out", "OUT", "x/study", "runs"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("vtm.json", "study.toml"):
        (tmp_path / file).write_text("{}" if file.endswith("json") else "")
    words = shlex.split(re.sub(r"\$\w+", "x", line))[1:]
    # With the program's settings: click keeps a command's first --help for ever.
    context = click.Context(cli, info_name="vitiq", **cli.context_settings)
    command = cli.get_command(context, words[0])
    assert command is not None
    words = words[1:]
    while isinstance(command, click.Group):
        below = command.get_command(context, words[0])
        if below is None:
            break
        command, words = below, words[1:]
    command.make_context("vitiq", words, parent=context)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages name: small parts of the bundled images."""
    folder = tmp_path_factory.mktemp("desk")
    sources = sorted((ROOT / "examples" / "images").glob("*.png"))
    for name in ("photos", "originals", "rebuilt", "reconstructions", "real", "generated", "images"):
        (folder / name).mkdir()
        for i, source in enumerate(sources[:2]):
            part = Image.open(source).convert("RGB").resize((96, 96))
            if name in ("rebuilt", "reconstructions", "generated"):
                part = Image.fromarray((np.asarray(part) // 8 * 8).astype(np.uint8))
            part.save(folder / name / f"{i}.png")
    for name, kind in {"a": "originals", "b": "rebuilt"}.items():
        shutil.copy(folder / kind / "0.png", folder / f"{name}.png")
    # Large enough for the fewest bits per pixel of the pages, which a header alone exceeds in a smaller image.
    Image.open(sources[0]).convert("RGB").resize((160, 160)).save(folder / "photo.png")
    return folder


RUN = {
    page: [line for p, line in LINES if p == page and not any(re.search(pattern, line) for pattern in NEEDS)]
    for page in PAGES
}


@pytest.mark.parametrize("page", [p for p in PAGES if RUN[p]], ids=lambda p: p.stem)
def test_commands_run(page: Path, desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "desk"
    shutil.copytree(desk, here)
    monkeypatch.chdir(here)
    for line in RUN[page]:
        name, *words = shlex.split(line)[1:]
        command = import_module(f"vitiq.cli.{name}").command
        result = CliRunner().invoke(command, words, catch_exceptions=False)
        assert result.exit_code == 0, f"{page.name}: {line}\n{result.output}"


def programs(page: Path) -> list[str]:
    """Python of a page that imports vitiq: fenced, or indented."""
    text = page.read_text(encoding="utf-8")
    indented = re.findall(r"(?:^|\n\n)((?: {4}.*\n|\n(?= {4}))+)", text)
    found = [*re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL), *map(textwrap.dedent, indented)]
    return [block.strip() for block in found if re.match(r"import vitiq|from vitiq", block.strip())]


PROGRAMS = [(page, block) for page in PAGES for block in programs(page)]


@pytest.mark.parametrize(("page", "program"), PROGRAMS, ids=[page.stem for page, _ in PROGRAMS])
def test_python_runs(page: Path, program: str, desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "desk"
    shutil.copytree(desk, here)
    Image.open(here / "photo.png").save(here / "photo.jpg")
    monkeypatch.chdir(here)
    exec(compile(program, page.name, "exec"), {})


def test_there_are_programs_in_the_readme_and_the_pages() -> None:
    assert {page.stem for page, _ in PROGRAMS} >= {"README", "restore-jpegs", "training-cost"}
