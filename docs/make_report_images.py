"""Take the images of the README from a report: its first screen, and its compare view.

make run
python docs/make_report_images.py out          needs Chromium and Playwright; writes docs/images
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from vitiq.files import write_bytes

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1280, 900
COLOURS = 256


def main() -> None:
    """Write docs/images/report.png and compare.png."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder of a study with its report.html")
    out = parser.parse_args().out
    path = next(p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto((out.resolve() / "report.html").as_uri())
        page.wait_for_timeout(1000)
        _keep(page, "report.png")
        page.locator(".gallery a").nth(1).click()
        page.evaluate("() => document.getElementById('compare').scrollIntoView({behavior: 'instant'})")
        page.wait_for_timeout(1000)
        _keep(page, "compare.png")
        browser.close()


def _keep(page: Any, name: str) -> None:
    """A screenshot in few colours, a third of the bytes; text and photographs show no difference at this size."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    buffer = io.BytesIO()
    image.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG).save(
        buffer, "PNG", optimize=True
    )
    write_bytes(IMAGES / name, buffer.getvalue())
    print(IMAGES / name)


if __name__ == "__main__":
    main()
