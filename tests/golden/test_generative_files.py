"""Files of the generative codec, and the images they stand for.

Truth: `data/generative.viq` (container of version 1, hyper-latents without a context, weights e1c3c0be…) and the two
images beside it, written once from the bundled portrait; `data/generative-compact.viq` of the same piece, with the same
symbols of the latents, and `data/generative-low.viq`, of a quality below 0, both by weights 59f5beb2…, which today's
stand for. `data/generative-mixed.viq` is a piece of the animal above text, a layer of graphics above latents;
`data/generative-text.viq` of text alone, which decodes to the same pixels everywhere; `data/generative-leading.viq` of
a drawn gradient at quality 60, with all symbols of the leading channels (section 4); `data/generative-corrected.viq` of
a piece of the animal at quality 18, with a correction of local means that also shifts its colours (section 5). Images
of `generative` were written anew with its present synthesis (`python tests/golden/test_generative_files.py`); no file
is. Symbols must be exact anywhere; pixels of latents may differ by one level between instruction sets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitiq.bitstream import container as viq
from vitiq.codecs.base import Codec
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.codecs.transform.sections import LATENTS, Kind
from vitiq.image.io import read_image, write_png

DATA = Path(__file__).parent / "data"
CODECS: dict[str, Codec] = {"generative": Generative(), "generative-mse": GenerativeMse()}


FILES = ("generative.viq", "generative-compact.viq")
LOW, MIXED, TEXT = "generative-low.viq", "generative-mixed.viq", "generative-text.viq"
LEADING, CORRECTED = "generative-leading.viq", "generative-corrected.viq"
IMAGES = {LOW: "-low", MIXED: "-mixed", LEADING: "-leading", CORRECTED: "-corrected"}
"""Files and what the names of their images end with."""


@pytest.mark.parametrize(("file", "image"), [*((file, "") for file in FILES), *IMAGES.items()])
@pytest.mark.parametrize("name", CODECS)
def test_the_file_still_decodes_to_its_image(name: str, file: str, image: str) -> None:
    data = (DATA / file).read_bytes()
    rebuilt = CODECS[name].decode(data)
    wanted = read_image(DATA / f"{name}{image}.png")
    assert rebuilt.shape == wanted.shape
    assert np.abs(rebuilt.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("name", CODECS)
def test_a_layer_of_graphics_decodes_to_the_same_pixels(name: str) -> None:
    rebuilt = CODECS[name].decode((DATA / TEXT).read_bytes())
    np.testing.assert_array_equal(rebuilt, read_image(DATA / "generative-text.png"))


@pytest.mark.parametrize("file", FILES)
def test_the_file_holds_the_symbols_it_held(file: str) -> None:
    latents = latents_in((DATA / file).read_bytes())
    with np.load(DATA / "generative.npz") as stored:
        np.testing.assert_allclose(latents, stored["latents"], rtol=1e-6)


def test_the_compact_file_is_at_least_eleven_bytes_shorter() -> None:
    old, new = ((DATA / file).read_bytes() for file in FILES)
    assert len(new) <= len(old) - 11
    headers = [GenerativeMse().inspect(data).sections["header"] for data in (old, new)]
    assert headers == [26, 15]  # sides of one byte each


@pytest.mark.parametrize(
    ("file", "kind"), [(LEADING, Kind(leading_sent=True)), (CORRECTED, Kind(corrected=True)), (LOW, Kind())]
)
def test_the_kind_of_section_is_the_one_meant(file: str, kind: Kind) -> None:
    assert [LATENTS[section.kind] for section in viq.unpack((DATA / file).read_bytes()).sections] == [kind]


def latents_in(data: bytes) -> np.ndarray:
    found = GenerativeMse().inspect(data, symbols=True).latents
    assert found is not None
    return found[0]


def write() -> None:
    """Write the images anew: what today's syntheses make of the files."""
    for file, image in {"generative-compact.viq": "", **IMAGES}.items():
        for name, codec in CODECS.items():
            write_png(DATA / f"{name}{image}.png", codec.decode((DATA / file).read_bytes()))


if __name__ == "__main__":
    write()
