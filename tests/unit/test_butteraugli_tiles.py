"""Butteraugli of large images in tiles equals the program on the whole image.

Truth: `butteraugli_main` of libjxl 0.7 (Debian's libjxl-devtools) where it is installed; its option --rawdistmap as
libjxl 0.8's tools/butteraugli_main.cc writes the file (PFM, last row first); the 3-norm as libjxl's ComputeDistanceP.
"""

from __future__ import annotations

import io
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitiq.errors import UndefinedError
from vitiq.image.io import read_image
from vitiq.metrics.perceptual import butteraugli, butteraugli_map
from vitiq.metrics.perceptual.butteraugli import Butteraugli
from vitiq.metrics.perceptual.butteraugli_map import map_by_library, map_by_program, map_source, pooled_by_tiles
from vitiq.types import ImageU8

IMAGES = Path(__file__).parents[2] / "examples" / "images"
PROGRAM = shutil.which("butteraugli_main")

STAND_IN = """#!{python}
import sys
import numpy as np
from PIL import Image
if len(sys.argv) < 3:
    sys.exit("Usage: butteraugli_main <reference> <distorted> [--rawdistmap <distmap.pfm>]" + "NOTE" * 200)
a, b = (np.asarray(Image.open(name), np.float32) for name in sys.argv[1:3])
found = np.abs(a - b).mean(axis=2).astype("<f4")
with open(sys.argv[sys.argv.index("--rawdistmap") + 1], "wb") as file:
    file.write(b"Pf\\n%d %d\\n-1.0\\n" % found.shape[::-1])
    file.write(found[::-1].tobytes())
"""


def pair(name: str, quality: int = 15) -> tuple[ImageU8, ImageU8]:
    image = read_image(IMAGES / f"{name}.png")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return image, np.array(Image.open(buffer).convert("RGB"))


def pooled(found: np.ndarray) -> tuple[float, float]:
    """libjxl's ComputeDistanceP for p = 3 and ButteraugliScoreFromDiffmap."""
    values = found.astype(np.float64)
    return sum(float((values**p).mean()) ** (1 / p) for p in (3, 6, 12)) / 3, float(values.max())


def stand_in(folder: Path, text: str = STAND_IN) -> str:
    program = folder / "butteraugli_main"
    program.write_text(text.replace("{python}", sys.executable))
    program.chmod(0o755)
    return str(program)


def needs_libjxl() -> str:
    if PROGRAM is None or map_source(PROGRAM) is None:
        pytest.skip("butteraugli_main of libjxl-devtools and libjxl's library are not installed")
    return PROGRAM


@pytest.mark.parametrize("side", [64, 66, 100, 1000])
def test_tiles_cover_every_pixel_once(side: int) -> None:
    rng = np.random.default_rng(side)
    a, b = (rng.integers(0, 256, (131, 203, 3), dtype=np.uint8) for _ in range(2))

    def error(x: ImageU8, y: ImageU8, _: float) -> np.ndarray:
        return np.asarray(np.abs(x.astype(np.float32) - y).mean(axis=2))

    assert pooled_by_tiles(error, a, b, 80, side=side, around=16) == pytest.approx(pooled(error(a, b, 80)), rel=1e-12)


@pytest.mark.parametrize("name", ["portrait", "graphic"])
@pytest.mark.parametrize("nits", [80.0, 203.0])
def test_small_tiles_equal_the_program(name: str, nits: float) -> None:
    program = needs_libjxl()
    a, b = (np.ascontiguousarray(image[:381, :450]) for image in pair(name))
    whole = Butteraugli(f"{nits:g}")(a, b)
    maps = map_source(program)
    assert maps is not None
    found = pooled_by_tiles(maps, a, b, nits, side=128)
    assert found.norm == pytest.approx(whole.value, abs=2e-6)  # it prints six decimals
    assert found.largest == pytest.approx(float(str(whole.details["max"])), abs=1e-6)


def test_around_a_tile_is_more_than_the_filters_reach() -> None:
    """Beyond 72 pixels from a cut the map is the whole image's: to the last bit where rows are cut, and where columns
    are to rounding, whose order follows the place in a row."""
    needs_libjxl()
    a, b = pair("portrait")
    if butteraugli_map.map_source(str(PROGRAM)) is not map_by_library:
        pytest.skip("this libjxl is another release than 0.7, whose reach was measured")
    whole = map_by_library(a, b, 80)
    cut = 200
    for part in (np.s_[cut:], np.s_[: cut + 1], np.s_[:, cut:], np.s_[:, : cut + 1]):
        found = map_by_library(np.ascontiguousarray(a[part]), np.ascontiguousarray(b[part]), 80)
        wrong = np.abs(found - whole[part])
        away = np.ones(whole.shape, bool)
        at = cut if part in (np.s_[cut:], np.s_[:, cut:]) else cut + 1
        reach = slice(at - 72, at + 72)
        away[reach if isinstance(part, slice) else np.s_[:, reach]] = False
        assert wrong.max() > 0.01
        assert wrong[away[part]].max() <= (0 if isinstance(part, slice) else 1e-4)


def test_only_large_images_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    program = needs_libjxl()
    a, b = (np.ascontiguousarray(image[:200, :300]) for image in pair("portrait"))
    whole = Butteraugli()(a, b)
    calls = []

    def counted(*given: object) -> object:
        calls.append(given)
        return map_source(program)

    monkeypatch.setattr(butteraugli, "map_source", counted)
    assert Butteraugli()(a, b) == whole
    assert not calls
    monkeypatch.setattr(butteraugli, "LARGE", 200 * 300 - 1)
    cut = Butteraugli()(a, b)
    assert calls
    assert cut.value == pytest.approx(whole.value, abs=2e-6)
    assert cut.signature == whole.signature


def test_a_program_that_writes_its_map_is_asked_for_it(tmp_path: Path) -> None:
    program = stand_in(tmp_path)
    a, b = (np.ascontiguousarray(image[:91, :60]) for image in pair("portrait"))
    error = np.abs(a.astype(np.float32) - b).mean(axis=2)
    assert np.array_equal(map_by_program(program, a, b, 80), error)
    maps = map_source(program)
    assert maps is not None
    assert pooled_by_tiles(maps, a, b, 80, side=64, around=8) == pytest.approx(pooled(error), rel=1e-6)


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 0\n", "#!/bin/sh\nprintf 'Pf\\n1 1\\n-1.0\\n0000' > map.pfm\n"])
def test_a_map_that_is_none_is_a_reason(tmp_path: Path, text: str) -> None:
    image = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(UndefinedError, match=r"wrote (no map|a map of another size)"):
        map_by_program(stand_in(tmp_path, text), image, image, 80)


def test_without_a_map_the_program_gets_the_whole_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = stand_in(tmp_path, "#!/bin/sh\n[ $# -gt 2 ] && printf '2.5\\n3-norm: 1.25\\n'\n")
    monkeypatch.setattr(butteraugli_map, "_library", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda _: program)
    monkeypatch.setattr(butteraugli, "LARGE", 10)
    assert map_source(program) is None
    a, b = (np.ascontiguousarray(image[:40, :40]) for image in pair("portrait"))
    score = Butteraugli()(a, b)
    assert (score.value, score.details["max"]) == (1.25, 2.5)
    with pytest.raises(UndefinedError, match="cannot be used"):
        map_by_library(a, b, 80)
    assert not math.isnan(score.value)
