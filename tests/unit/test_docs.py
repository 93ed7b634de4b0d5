"""The documents say what the program does. Truth: the program's own help, and the files on disk."""

from __future__ import annotations

import json
import re
import tomllib
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

from scripts import script_module
from vitiq.weights.store import list_models, sha256_file

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    {
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob("src/vitiq/weights/*.md"),
    }
)


def test_cli_reference_is_up_to_date() -> None:
    module = script_module("docs/make_cli_reference.py")
    assert (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8") == module.reference(), "run `make docs`"


def test_readme_and_ci_run_the_same_tests() -> None:
    command = re.search(r"^test: setup\n\t\$\(BIN\)/(.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert command is not None
    assert command.group(1) in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_embedded_weights_are_the_pinned_ones_with_a_card() -> None:
    for info in list_models():
        if info.embedded:
            assert info.path.stat().st_size == info.bytes
            assert info.bytes <= 20_000_000
            assert sha256_file(info.path) == info.sha256
            assert info.path.with_suffix(".md").read_text(encoding="utf-8").startswith("# Model card")


def test_regrown_images_are_of_the_shipped_synthesis_or_said_to_be_earlier() -> None:
    folder = ROOT / "docs" / "reference"
    tables = (folder / "agreement-tables.md").read_text(encoding="utf-8")
    shipped = next(info.sha256 for info in list_models() if info.name == "codec-embedded")
    present = f"weights (sha256): {shipped}." in tables
    earlier = "those of an earlier synthesis" in (folder / "agreement.md").read_text(encoding="utf-8")
    assert present != earlier, "run benchmarks/agreement.py --only meaning --docs, or say that the figures are earlier"


def test_parts_of_the_agreement_page_are_replaced_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    agreement = script_module("benchmarks/agreement.py")
    page = agreement.renewed("# An old head\n\n## A\n\nold\n\n### Of A\n\n## B\n\nkept\n", ["## A\n\nnew\n", "## C\n"])
    assert page == f"{agreement.HEAD}\n## A\n\nnew\n\n## B\n\nkept\n\n## C\n"
    tables = (ROOT / "docs" / "reference" / "agreement-tables.md").read_text(encoding="utf-8")
    assert agreement.renewed(tables, []).partition("\n## ")[2] == tables.partition("\n## ")[2]


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def links(page: Path) -> list[tuple[Path, str]]:
    """(file, anchor) of every link of a page to another file, or to a heading of its own."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    parts = [target.partition("#") for target in targets if not target.startswith("https://")]
    return [((page.parent / file).resolve() if file else page, anchor) for file, _, anchor in parts]


def test_links_between_documents_lead_somewhere() -> None:
    for page in PAGES:
        for file, anchor in links(page):
            assert file.exists(), f"{page.name}: {file}"
            assert not anchor or anchor in anchors(file), f"{page.name}: {file.name}#{anchor}"


def test_every_page_and_image_is_found_from_the_readme() -> None:
    found, todo = set[Path](), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        new = {file for file, _ in links(page) if file.is_file()} - found
        found |= new
        todo += [file for file in new if file.suffix == ".md"]
    found.add(ROOT / "README.md")
    assert [p.name for p in [*PAGES, *ROOT.glob("docs/images/*"), *ROOT.glob("docs/*.ipynb")] if p not in found] == []


def test_names_in_python_exist() -> None:
    groups = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"])
    groups |= {"vitiq.entropy_models"}  # no entropy model of vitiq's own is named by an entry point
    for page in PAGES:
        for name in set(re.findall(r"\bvitiq(?:\.\w+)+", page.read_text(encoding="utf-8"))) - groups:
            assert exists(name), f"{page.name}: {name}"


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    module, *rest = name.split(".")
    thing: object = import_module(module)
    for part in rest:
        module = f"{module}.{part}"
        with suppress(ModuleNotFoundError):
            import_module(module)
        if not hasattr(thing, part):
            return False
        thing = getattr(thing, part)
    return True


def test_scripts_and_their_options_exist() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for script, words in re.findall(r"python ((?:benchmarks|docs|tests|examples)/\S+?\.py)([^`\n]*)", text):
            code = (ROOT / script).read_text(encoding="utf-8")
            for option in re.findall(r"(?<!\S)--[\w-]+", words):
                assert option in code, f"{page.name}: {script} {option}"


def test_manifest_names_are_unique() -> None:
    entries = json.loads((ROOT / "src" / "vitiq" / "weights" / "manifest.json").read_text(encoding="utf-8"))
    assert len({e["name"] for e in entries}) == len(entries)
