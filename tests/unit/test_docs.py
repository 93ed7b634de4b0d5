"""The documents say what the program does. Truth: the program's own help, and the files on disk."""

from __future__ import annotations

import json
import re
import tomllib
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts import script_module
from vitiq.cli import bench
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
    CliRunner().invoke(bench.command.commands[bench.STUDY], ["--help"])  # what a command was asked alone does not show
    assert (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8") == module.reference(), "run `make docs`"


def test_the_diagram_of_the_packages_is_up_to_date() -> None:
    module = script_module("docs/make_package_diagram.py")
    assert (ROOT / "docs" / "images" / "packages.svg").read_text(encoding="utf-8") == module.svg(), "run `make docs`"


def test_readme_and_ci_run_the_same_tests() -> None:
    commands = dict(re.findall(r"^(run|test): setup\n\t\$\(BIN\)/(.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in ("run", "test"):
        assert f"`.venv/bin/{commands[target]}`" in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
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


def measured() -> dict[str, float]:
    """Figures of the generated tables of docs/reference/models.md by their names."""
    text = (ROOT / "docs" / "reference" / "models.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \|[^|]*\| (-?[\d.]+)", text, re.MULTILINE)
    return {name.strip(): float(value) for name, value in rows}


STATED = {
    "README.md": (
        ("generative-mse: BD-rate against AVIF", "{:.1f} % against AVIF"),
        ("generative-mse: BD-rate against WebP", "{:.0f} % against WebP"),
        ("generative-mse: BD-rate against JPEG 2000", "{:.0f} % against JPEG 2000"),
        ("generative-mse: BD-rate against mbt2018-mean", "{:.1f} % against mbt2018-mean"),
        ("generative-mse: BD-rate against cheng2020-anchor", "{:+.0f} % against cheng2020-anchor"),
        ("generative-mse: BD-rate against VTM", "{:+.0f} % against VTM"),
        ("vitiq generative: mean ViT-Score, scored by DeiT-Ti", "`generative` has a ViT-Score of {:.2f} and"),
        ("vitiq generative: mean PSNR", "and {:.1f} dB, `inversion`"),
        ("inversion: mean ViT-Score, scored by DeiT-Ti", "`inversion` {:.2f} and"),
        ("inversion: mean PSNR", "and {:.1f} dB, and a downscaled AVIF"),
        ("AVIF, downscaled: mean ViT-Score, scored by DeiT-Ti", "a downscaled AVIF {:.2f} and"),
        ("AVIF, downscaled: mean PSNR", "and {:.1f} dB (at 3 %"),
        ("≤ 0.08 bpp: ViT-Score of vitiq generative, by DeiT-Ti", "ViT-Score ({:.2f} against"),
        ("≤ 0.08 bpp: ViT-Score of AVIF, by DeiT-Ti", "against {:.2f}) and patch-FID"),
        ("≤ 0.08 bpp: patch-FID of vitiq generative, by DeiT-Ti", "patch-FID ({:.0f} against"),
        ("≤ 0.08 bpp: patch-FID of AVIF, by DeiT-Ti", "against {:.0f}), both"),
        ("≤ 0.25 bpp: ViT-Score of vitiq generative, by DeiT-Ti", "too ({:.2f} against"),
        ("≤ 0.25 bpp: ViT-Score of AVIF, by DeiT-Ti", "against {:.2f}; "),
        ("≤ 0.25 bpp: patch-FID of vitiq generative, by DeiT-Ti", "; {:.0f} against"),
        ("≤ 0.25 bpp: patch-FID of AVIF, by DeiT-Ti", "against {:.0f})"),
    ),
    "docs/howto/restore-jpegs.md": (
        ("jpeg+deblock: BD-rate against WebP", "still {:.0f} % more than WebP"),
        ("JPEG: BD-rate against WebP", "(plain JPEG: {:.0f} % more)"),
        ("jpeg+deblock: BD-rate against AVIF", "and {:.0f} % more than AVIF"),
        ("JPEG: BD-rate against AVIF", "AVIF (plain JPEG: {:.0f} % more)"),
    ),
}


@pytest.mark.parametrize("page", STATED)
def test_figures_of_other_pages_are_those_of_the_tables(page: str) -> None:
    figures, text = measured(), " ".join((ROOT / page).read_text(encoding="utf-8").split())
    assert [form.format(figures[name]) for name, form in STATED[page] if form.format(figures[name]) not in text] == []


def test_the_two_tables_of_agreement_on_tid2013_are_of_one_run() -> None:
    """SRCC and interval with the embedded ViT, of the metrics that both pages have."""
    cells = []
    for page in ("vit-score.md", "agreement-tables.md"):
        text = (ROOT / "docs/reference" / page).read_text(encoding="utf-8").partition("\n## What an image shows")[0]
        rows = re.findall(r"^\| `([\w@-]+)` \| (\d\.\d{3} \[[\d., ]+\]) \|", text, re.MULTILINE)
        cells.append(dict(rows))
    shared = cells[0].keys() & cells[1].keys()
    assert {"vit-topk", "vit-tiles", "ssim", "brisque"} <= shared
    assert {key: cells[0][key] for key in shared} == {key: cells[1][key] for key in shared}


def test_the_card_of_the_classifier_has_the_figures_of_its_benchmark() -> None:
    table = (ROOT / "docs/reference/models.md").read_text(encoding="utf-8")
    card = " ".join((ROOT / "src/vitiq/weights/classifier_embedded.md").read_text(encoding="utf-8").split())
    top = re.findall(r"^\| classify: top-1 agreement of the classifier \|[^|]*\| ([\d.]+) %", table, re.MULTILINE)
    overlap = re.findall(r"^\| classify: top-100 overlap of the classifier \|[^|]*\| ([\d.]+)", table, re.MULTILINE)
    assert f"same top label {', '.join(f'{float(x):.0f} %' for x in top)} and" in card
    assert f"top-100 overlap {', '.join(f'{float(x):.2f}' for x in overlap)} at" in card


def test_bfloat16_keeps_as_many_labels_on_every_page() -> None:
    table = (ROOT / "docs/reference/models.md").read_text(encoding="utf-8")
    (kept,) = re.findall(r"keeps ([\d.]+)% of float32's top 100", table)
    record = (ROOT / "docs/adr/0006-embedded-vit.md").read_text(encoding="utf-8")
    assert f"keeps [{float(kept):.1f} %]" in record
