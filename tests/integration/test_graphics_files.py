"""Files of the generative codecs of images with graphics.

Truth: identities (a layer's pixels are exact; photographs' files are those of latents alone; both codecs read each
other's files) and orders (a layer is there only where bits + λ · squared error are less).
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vitiq
from graphics_images import captioned, text_page
from vitiq.bitstream import container as viq
from vitiq.codecs.entropy_coding import split_escapes
from vitiq.codecs.labels import overlap
from vitiq.codecs.rate_target import encode_within
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.codecs.transform.graphics_layer import covered, graphic_blocks, pack
from vitiq.codecs.transform.labels import read_latents
from vitiq.codecs.transform.latent_classifier import load_classifier
from vitiq.codecs.transform.networks.embedded import load_model
from vitiq.codecs.transform.refine import code, lagrangian
from vitiq.codecs.transform.sections import GRAPHICS, HIGHEST, LATENTS, LOWEST, section_of
from vitiq.codecs.viq_codec import symbols_crc
from vitiq.errors import BitstreamError, WeightsError
from vitiq.types import Bytes, ImageU8, Quality

CODECS = {"generative": Generative, "generative-mse": GenerativeMse}


def kinds(data: bytes) -> list[int]:
    return [section.kind for section in viq.unpack(data).sections]


def latents(data: bytes) -> bytes:
    """What codes a file's latents, without the correction before it."""
    file = viq.unpack(data)
    coded = file.section(section_of(file))[1:]
    return split_escapes(coded)[1] if LATENTS[section_of(file)].corrected else coded


def squared_error(a: ImageU8, b: ImageU8) -> float:
    return float(((a.astype(np.float64) - b) ** 2).sum())


@pytest.fixture(scope="module")
def mixed(bundled: dict[str, ImageU8]) -> ImageU8:
    """A piece of a photograph above a caption, of sides that are no multiples of a block."""
    return captioned(bundled["animal"][200:310, 200:350])


@pytest.fixture(scope="module")
def mixed_file(mixed: ImageU8) -> bytes:
    return GenerativeMse().encode(mixed, Quality(45))


def test_a_page_of_text_is_a_layer_alone_and_needs_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    page = text_page(120, 200)
    data = GenerativeMse().encode(page, Quality(HIGHEST))
    assert kinds(data) == [GRAPHICS]
    assert viq.unpack(data).weights == b""
    monkeypatch.setattr(GenerativeMse, "_decoder", lambda *_: pytest.fail("networks were loaded"))
    rebuilt = GenerativeMse().decode(data)
    assert squared_error(rebuilt, page) / rebuilt.size < 4
    info = GenerativeMse().inspect(data)
    assert info.quality == HIGHEST
    assert set(info.sections) == {"header", "graphics"}
    assert sum(info.sections.values()) == len(data)


@pytest.mark.parametrize("quality", [LOWEST, 0, 18, HIGHEST])
@pytest.mark.parametrize("height", [64, 120])
def test_the_parts_chosen_cost_least(height: int, quality: int) -> None:
    page, codec = text_page(height, 200), GenerativeMse()
    data = codec.encode(page, Quality(quality))
    alone = code(load_model(), page, quality)
    bits = 8 * len(data) + lagrangian(quality) / 3 * squared_error(codec.decode(data), page)
    if kinds(data) == [GRAPHICS]:
        assert bits < 8 * len(alone.data) + lagrangian(quality) / 3 * page.size * 255**2
    else:
        assert latents(data) == alone.data
    assert quality < HIGHEST or kinds(data) == [GRAPHICS]
    assert quality > LOWEST or GRAPHICS not in kinds(data)


def test_a_captioned_photograph_has_both_parts(mixed: ImageU8, mixed_file: bytes) -> None:
    assert kinds(mixed_file) == [GRAPHICS, section_of(viq.unpack(mixed_file))]
    info = GenerativeMse().inspect(mixed_file)
    assert set(info.sections) == {"header", "graphics", "latents"}
    assert sum(info.sections.values()) == len(mixed_file)
    rebuilt, blocks = GenerativeMse().decode(mixed_file), graphic_blocks(mixed)
    assert blocks is not None
    inside = covered(blocks, *mixed.shape[:2])
    error = (rebuilt.astype(float) - mixed) ** 2
    assert error[inside].mean() < 40
    assert 3 < error[~inside].mean() < 150
    alone = code(load_model(), mixed, 45)
    assert len(mixed_file) < len(alone.data)


def test_both_codecs_read_each_other_s_files(mixed: ImageU8, mixed_file: bytes) -> None:
    file = viq.unpack(Generative().encode(mixed, Quality(45)))
    assert file.sections == viq.unpack(mixed_file).sections
    rebuilt = [codec().decode(mixed_file) for codec in CODECS.values()]
    blocks = graphic_blocks(mixed)
    assert blocks is not None
    inside = covered(blocks, *mixed.shape[:2])
    np.testing.assert_array_equal(rebuilt[0][inside], rebuilt[1][inside])
    assert (rebuilt[0][~inside] != rebuilt[1][~inside]).any()


@pytest.mark.parametrize("name", ["animal", "building", "portrait"])
@pytest.mark.parametrize("quality", [-20, 18, 60])
def test_photographs_are_latents_alone(name: str, quality: int, bundled: dict[str, ImageU8]) -> None:
    image = bundled[name][100:300, 100:350]
    file = viq.unpack(GenerativeMse().encode(image, Quality(quality)))
    (section,) = file.sections
    assert file.version == viq.COMPACT
    assert section.data[1:] == code(load_model(), image, quality).data


def test_a_search_runs_on_what_the_latents_code(mixed: ImageU8, mixed_file: bytes) -> None:
    data = GenerativeMse(refine=3).encode(mixed, Quality(45))
    searched, plain = viq.unpack(data), viq.unpack(mixed_file)
    assert searched.section(GRAPHICS) == plain.section(GRAPHICS)
    assert latents(viq.pack(searched)) != latents(viq.pack(plain))
    cost = [
        8 * len(d) + lagrangian(45) / 3 * squared_error(GenerativeMse().decode(d), mixed) for d in (data, mixed_file)
    ]
    assert cost[0] < cost[1]


@pytest.mark.parametrize("count", [300, 700, 1000, 1500, 3000])
def test_a_number_of_bytes_is_kept(count: int) -> None:
    page = text_page(160, 240)
    found = encode_within(Generative(), page, Bytes(count))
    assert found.reached
    assert len(found.data) <= count


def test_another_process_decodes_the_same_image(mixed_file: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mixed.viq"
    path.write_bytes(mixed_file)
    code_ = "import sys, vitiq, numpy as np; np.save(sys.argv[2], vitiq.decode(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code_, path, tmp_path / "found.npy"], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), vitiq.decode(mixed_file))


def test_a_layer_alone_is_decoded_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "text.viq"
    path.write_bytes(GenerativeMse().encode(text_page(120, 200), Quality(45)))
    without = "import sys; sys.modules['torch'] = None; import vitiq; print(vitiq.decode(sys.argv[1]).shape)"
    done = subprocess.run([sys.executable, "-c", without, path], check=True, capture_output=True, text=True)
    assert done.stdout == "(120, 200, 3)\n"


@pytest.mark.parametrize("form", ["mixed", "layer"])
def test_the_latents_of_a_file_are_those_of_the_decoded_image(form: str, mixed_file: bytes) -> None:
    data = mixed_file if form == "mixed" else GenerativeMse().encode(text_page(120, 200), Quality(45))
    found = GenerativeMse().inspect(data, symbols=True)
    assert len(found.symbols or ()) == (form == "mixed")
    model = load_model()
    scaled, _ = model.analyse_image(vitiq.decode(data), 45)
    assert found.latents is not None
    np.testing.assert_allclose(found.latents[0], scaled / model.gain(45)[:, None, None], rtol=1e-6)


def test_labels_are_those_of_the_whole_image(bundled: dict[str, ImageU8]) -> None:
    """As of a file of latents alone; latents below a layer would show a hole."""
    image, model, classifier = bundled["graphic"], load_model(), load_classifier()
    data = GenerativeMse().encode(image, Quality(54))
    assert GRAPHICS in kinds(data)
    found = read_latents(GenerativeMse(), data, classifier).logits
    latents = code(model, image, 54).symbols / model.gain(54)[:, None, None]
    wanted = classifier.logits(latents.astype(np.float32), image.shape[0], image.shape[1], 54)
    assert overlap(found, wanted) > 0.8


def broken(file: bytes, **changes: bytes) -> bytes:
    whole = viq.unpack(file)
    sections = tuple(
        replace(section, data=changes.get({GRAPHICS: "graphics"}.get(section.kind, "latents"), section.data))
        for section in whole.sections
    )
    return viq.pack(replace(whole, sections=sections))


def with_section(file: bytes, section: viq.Section) -> bytes:
    whole = viq.unpack(file)
    return viq.pack(replace(whole, sections=(*whole.sections, section)))


def test_damage_is_named(mixed_file: bytes) -> None:
    layer = viq.unpack(mixed_file).section(GRAPHICS)
    number = section_of(viq.unpack(mixed_file))
    below = viq.unpack(mixed_file).section(number)
    other = next(kind for kind in sorted(LATENTS) if kind > number)
    pixels = text_page(220, 150)
    for changed, said in (
        (broken(mixed_file, graphics=layer[: len(layer) // 2]), "layer of graphics cannot be read"),
        (broken(mixed_file, graphics=layer[:1]), "pixels given, 150×220 expected"),
        (broken(mixed_file, graphics=b"\x2d" + pack(pixels[:100])), "150×100 pixels given, 150×220 expected"),
        (broken(mixed_file, graphics=b"\x2d" + pack(pixels)), "do not match their checksum"),
        (broken(mixed_file, graphics=b"\x2c" + layer[1:]), "sections of the qualities 44 and 45 given, one quality"),
        (broken(mixed_file, graphics=b""), "a section without its first byte, the quality, given"),
        (broken(mixed_file, latents=b""), "a section without its first byte, the quality, given"),
        (with_section(mixed_file, viq.Section(1, below)), f"sections 1 and {number} given, one expected"),
        (with_section(mixed_file, viq.Section(other, below)), f"sections {number} and {other} given, one expected"),
        (with_section(mixed_file, viq.Section(GRAPHICS, layer)), "section 3 is in the generative-mse file more than"),
        (broken(mixed_file, latents=below[: len(below) // 2]), "."),
    ):
        with pytest.raises(BitstreamError, match=said):
            GenerativeMse().decode(changed)


def test_a_layer_with_gaps_needs_latents(mixed_file: bytes) -> None:
    gaps = np.zeros((32, 32, 4), np.uint8)
    gaps[:16] = 255
    crc = symbols_crc([np.moveaxis(gaps, 2, 0)])
    file = viq.Container(4, 32, 32, b"", crc, (viq.Section(GRAPHICS, b"\x12" + pack(gaps)),))
    with pytest.raises(BitstreamError, match="with gaps"):
        GenerativeMse().decode(viq.pack(file))
    whole = viq.unpack(mixed_file)
    with pytest.raises(WeightsError, match="names no codec weights"):
        GenerativeMse().decode(viq.pack(replace(whole, weights=b"")))
