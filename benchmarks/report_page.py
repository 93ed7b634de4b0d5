"""How fast a report opens, and how large it is: a study of 24 images × 5 codecs × 5 qualities in Chromium.

    python benchmarks/report_page.py            needs Chromium and Playwright, and Pillow with AVIF

The images are pieces of the bundled ones, enlarged to 768×512, coded by Pillow; scores of meaning are made up, as the
page is measured here and not the codecs. Time is from the request to the load event plus two drawn frames, the median
of nine openings, against a blank page opened the same way. The chart and the table below the first screen are built
when they come near it: what that takes of the processor is the last line.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from report_studies import coded, pieces, record, topk
from vitiq.report.assets import FolderAssets
from vitiq.report.model import build_model
from vitiq.report.page import render
from vitiq.report.source import Study

CODECS = (("JPEG", "jpeg"), ("WEBP", "webp"), ("AVIF", "avif"), ("JPEG", "jpeg-other"), ("WEBP", "webp-other"))
QUALITIES = (10, 30, 50, 70, 85)
OPENINGS = 9
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def study(folder: Path) -> Study:
    """24 images × 5 codecs × 5 qualities."""
    found = []
    for name, piece in pieces(24).items():
        image = np.asarray(Image.fromarray(piece).resize((768, 512), Image.Resampling.BICUBIC))
        for kind, codec in CODECS:
            for quality in QUALITIES:
                data, rebuilt = coded(image, kind, quality - ("other" in codec))
                scores = {"vit-topk": topk(round(0.4 + quality / 150, 2))}
                given: dict[str, object] = {
                    "codec": codec,
                    "label": codec,
                    "quality": float(quality),
                    "scores": scores,
                }
                found.append(record(folder, name, image, rebuilt, len(data), **given))
    return Study("benchmark", found)


PARTS = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
REST = "() => dispatchEvent(new Event('beforeprint'))"
"""What is printed must have been built."""


def seconds(browser: Any, address: str) -> tuple[float, dict[str, float], float]:
    """Medians of a page's opening.

    Returns:
        Time on the clock until it is drawn; what its main thread took of the processor until then, by part; and what it
        took until all of it was built.
    """
    found, busy, whole = [], [], []
    for _ in range(OPENINGS):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        start = time.perf_counter()
        page.goto(address, wait_until="load")
        page.evaluate(DRAWN)
        found.append(time.perf_counter() - start)
        busy.append(_spent(session))
        page.evaluate(REST)
        page.evaluate(DRAWN)
        whole.append(_spent(session)["TaskDuration"])
        page.close()
    parts = {name: statistics.median(one[name] for one in busy) for name in PARTS}
    return statistics.median(found), parts, statistics.median(whole)


def _spent(session: Any) -> dict[str, float]:
    metrics = {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}
    return {name: metrics[name] for name in PARTS}


def main() -> None:
    """Print sizes and times."""
    from playwright.sync_api import sync_playwright

    path = next(p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name)))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = study(folder)
        start, spent = time.perf_counter(), time.process_time()
        assets = FolderAssets(folder)
        page = render(made, build_model(made.name, [r for r, _ in made.records]), assets)
        print(f"page: {len(page.encode()):,} bytes without images, made in {_took(start, spent)}")
        start, spent = time.perf_counter(), time.process_time()
        assets.finish()
        print(f"images: {len(assets.wanted):,} files in {_took(start, spent)}")
        (folder / "report.html").write_text(page, encoding="utf-8")
        (folder / "blank.html").write_text("<!doctype html><title>blank</title>", encoding="utf-8")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            blank, report = (seconds(browser, (folder / f"{name}.html").as_uri()) for name in ("blank", "report"))
            browser.close()
        print(f"opens in {report[0]:.2f} s, a blank page in {blank[0]:.2f} s")
        parts = ", ".join(f"{name.removesuffix('Duration').lower()} {value:.2f}" for name, value in report[1].items())
        print(f"of the processor: {parts} s; a blank page {blank[1]['TaskDuration']:.2f} s")
        print(f"of the processor until all of it is built: {report[2]:.2f} s")


def _took(start: float, spent: float) -> str:
    return f"{time.perf_counter() - start:.1f} s ({time.process_time() - spent:.1f} s of the processor)"


if __name__ == "__main__":
    main()
