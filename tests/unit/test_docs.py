"""The documents say what the program does. Truth: the program's own help, and the files on disk."""

from __future__ import annotations

import json
import re
from pathlib import Path

from scripts import script_module
from vitiq.weights.store import list_models, sha256_file

ROOT = Path(__file__).parents[2]


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


def test_links_between_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_manifest_names_are_unique() -> None:
    entries = json.loads((ROOT / "src" / "vitiq" / "weights" / "manifest.json").read_text(encoding="utf-8"))
    assert len({e["name"] for e in entries}) == len(entries)
