"""A real browser: Debian's chromium (or another Chromium on the path) driven by Playwright.

Where there is none the tests are skipped with the reason; with VITIQ_BROWSER=required, as in `.ci/run`, that fails.
Screenshots are kept in $VITIQ_SCREENSHOTS where it is set, else in the tests' temporary folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from browsing import until
from report_studies import curves, equal_bytes, published, with_hostile_names, with_many_metrics
from vitiq.analysis.points import points_of
from vitiq.report.assets import FolderAssets
from vitiq.report.build import model_of
from vitiq.report.page import render
from vitiq.report.source import Study

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def missing(why: str) -> None:
    """Skip, or fail where the browser tests must run."""
    if os.environ.get("VITIQ_BROWSER") == "required":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The browser, one for all tests."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        missing("no Chromium here: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("no Playwright here: pip install playwright")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page; at the end of the test nothing was said on the console and nothing was asked of another machine."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def open_page(address: str, width: int = 1440, height: int = 900, **settings: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda m: said.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda e: said.append(str(e)))
        page.on("request", lambda r: asked.append(r.url))
        page.goto(address)
        until(page, "window.vitiq !== undefined")
        return page

    yield open_page
    for context in contexts:
        context.close()
    # a refused upload is reported to the person by the page; the browser notes it besides
    assert [line for line in said if "status of 400" not in line] == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:"))] == []


def built(study: Study, folder: Path) -> str:
    """The page of a study as a file; its address."""
    assets = FolderAssets(folder)
    model = model_of(study)
    html = render(study, model, assets)
    assets.finish()
    (folder / "report.html").write_text(html, encoding="utf-8")
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="session")
def equal_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a report at equal bytes."""
    folder = tmp_path_factory.mktemp("equal")
    return built(equal_bytes(folder), folder)


@pytest.fixture(scope="session")
def curve_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a report of curves."""
    folder = tmp_path_factory.mktemp("curves")
    return built(curves(folder), folder)


@pytest.fixture(scope="session")
def published_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a report of curves with two published ones: a mean that is the anchor, and a table of images."""
    folder = tmp_path_factory.mktemp("published")
    study = curves(folder, images=3)
    rows = [
        replace(p, codec="Theirs", bpp=0.9 * p.bpp, values={"psnr-rgb": p.values["psnr-rgb"]})
        for p in points_of(record for record, _ in study.records)
        if p.codec == "WebP"
    ]
    return built(replace(study, published=[*published("VTM <b>&"), *rows], anchor="VTM <b>&"), folder)


@pytest.fixture(scope="session")
def crowded_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a report with many metrics and long, hostile names."""
    folder = tmp_path_factory.mktemp("crowded")
    return built(with_hostile_names(with_many_metrics(equal_bytes(folder))), folder)


@pytest.fixture(scope="session")
def crowded_curves(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Likewise of curves."""
    folder = tmp_path_factory.mktemp("crowded-curves")
    return built(with_hostile_names(with_many_metrics(curves(folder, images=5))), folder)


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept."""
    given = os.environ.get("VITIQ_SCREENSHOTS")
    path = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    path.mkdir(parents=True, exist_ok=True)
    return path
