"""How fast a report opens, and how large it is: a study of 24 images × 5 codecs × 5 qualities in Chromium.

    python benchmarks/report_page.py            needs Chromium and Playwright, and Pillow with AVIF

The images are pieces of the bundled ones, enlarged to 768×512, coded by Pillow; scores of meaning are made up, as the
page is measured here and not the codecs. Time is from the request to the load event plus two drawn frames, the median
of nine openings, against a blank page opened the same way.
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


def seconds(browser: Any, address: str) -> tuple[float, float]:
    """Median time until a page is drawn: on the clock, and of the processor that the page's main thread took."""
    found, busy = [], []
    for _ in range(OPENINGS):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        start = time.perf_counter()
        page.goto(address, wait_until="load")
        page.evaluate(DRAWN)
        found.append(time.perf_counter() - start)
        metrics = {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}
        busy.append(metrics["TaskDuration"])
        page.close()
    return statistics.median(found), statistics.median(busy)


def main() -> None:
    """Print sizes and times."""
    from playwright.sync_api import sync_playwright

    path = next(p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name)))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = study(folder)
        start = time.perf_counter()
        assets = FolderAssets(folder)
        page = render(made, build_model(made.name, [r for r, _ in made.records]), assets)
        print(f"page: {len(page.encode()):,} bytes without images, made in {time.perf_counter() - start:.1f} s")
        start = time.perf_counter()
        assets.finish()
        print(f"images: {len(assets.wanted):,} files in {time.perf_counter() - start:.0f} s")
        (folder / "report.html").write_text(page, encoding="utf-8")
        (folder / "blank.html").write_text("<!doctype html><title>blank</title>", encoding="utf-8")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            blank, report = (seconds(browser, (folder / f"{name}.html").as_uri()) for name in ("blank", "report"))
            browser.close()
        print(f"opens in {report[0]:.2f} s, a blank page in {blank[0]:.2f} s")
        print(f"of the processor: {report[1]:.2f} s, a blank page {blank[1]:.2f} s")


if __name__ == "__main__":
    main()
