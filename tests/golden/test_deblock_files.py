"""A JPEG and the image that its correction gives.

Truth: `data/deblock.jpg` and the image beside it, written once by this module (`python
tests/golden/test_deblock_files.py`) from the bundled portrait, and only written again with new embedded weights. Pixels
may differ by one level between instruction sets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitiq.codecs.classical.pillow import Jpeg
from vitiq.codecs.spec import make_codec
from vitiq.files import write_bytes
from vitiq.image.io import read_image, write_png
from vitiq.types import Quality

DATA = Path(__file__).parent / "data"
PORTRAIT = Path(__file__).parents[2] / "examples" / "images" / "portrait.png"


def test_the_file_is_still_corrected_to_its_image() -> None:
    found = make_codec("jpeg+deblock").decode((DATA / "deblock.jpg").read_bytes())
    wanted = read_image(DATA / "deblock.png")
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).max() <= 1


def write() -> None:
    """Write the files anew."""
    piece = np.ascontiguousarray(read_image(PORTRAIT)[100:190, 190:310])
    data = Jpeg().encode(piece, Quality(15))
    write_bytes(DATA / "deblock.jpg", data)
    write_png(DATA / "deblock.png", make_codec("jpeg+deblock").decode(data))


if __name__ == "__main__":
    write()
