"""A file of the generative codec, and the images it stands for.

Truth: `data/generative.viq` and the two images beside it, written once by this module (`python
tests/golden/test_generative_files.py`) from the bundled portrait and only written again on purpose: with new embedded
weights, which change the bitstream. Symbols must be exact anywhere; pixels may differ by one level between
instruction sets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitiq.codecs.base import Codec
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.image.io import read_image, write_bytes, write_png
from vitiq.types import Quality

DATA = Path(__file__).parent / "data"
PORTRAIT = Path(__file__).parents[2] / "examples" / "images" / "portrait.png"
CODECS: dict[str, Codec] = {"generative": Generative(), "generative-mse": GenerativeMse()}


@pytest.mark.parametrize("name", CODECS)
def test_the_file_still_decodes_to_its_image(name: str) -> None:
    data = (DATA / "generative.viq").read_bytes()
    rebuilt = CODECS[name].decode(data)
    wanted = read_image(DATA / f"{name}.png")
    assert rebuilt.shape == wanted.shape
    assert np.abs(rebuilt.astype(int) - wanted).max() <= 1


def test_the_file_holds_the_symbols_it_held() -> None:
    latents = latents_in((DATA / "generative.viq").read_bytes())
    with np.load(DATA / "generative.npz") as file:
        np.testing.assert_allclose(latents, file["latents"], rtol=1e-6)


def latents_in(data: bytes) -> np.ndarray:
    found = GenerativeMse().inspect(data, symbols=True).latents
    assert found is not None
    return found[0]


def write() -> None:
    """Write the files anew."""
    piece = np.ascontiguousarray(read_image(PORTRAIT)[100:190, 190:310])
    data = GenerativeMse().encode(piece, Quality(24))
    write_bytes(DATA / "generative.viq", data)
    np.savez_compressed(DATA / "generative.npz", latents=latents_in(data))
    for name, codec in CODECS.items():
        write_png(DATA / f"{name}.png", codec.decode(data))


if __name__ == "__main__":
    write()
