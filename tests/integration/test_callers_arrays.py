"""Images of callers are never changed, however they lie in memory, and give what a plain array gives."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vitiq

RNG = np.random.default_rng(8)
SIDE = 192
"""Enough for MS-SSIM."""
PAIR = "mse,ssim,ms-ssim,gmsd,fsim,vif,iw-ssim,nlpd,haarpsi,psnr-hvs,ciede2000,ssimulacra2,brisque,vit-topk,vit-regions"
SETS = "kid-vit,patch-kid-pixel"
CODECS = ["generative", "generative[effort=1]", "jpeg", "webp", "avif", "jpeg2000", "jpeg-downscaled", "jpeg+deblock"]


class Subclass(np.ndarray):
    """As libraries hand arrays on with names of their axes."""


def drawn() -> np.ndarray:
    small = Image.fromarray(RNG.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    return np.array(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def every_second(array: np.ndarray) -> np.ndarray:
    wide = np.zeros((SIDE, 2 * SIDE, 3), np.uint8)
    wide[:, ::2] = array
    return wide[:, ::2]


def mapped(array: np.ndarray, path: Path) -> np.ndarray:
    path.write_bytes(array.tobytes())
    return np.memmap(path, np.uint8, "r", shape=array.shape)


LAYOUTS: dict[str, Callable[[np.ndarray, Path], np.ndarray]] = {
    "read-only": lambda a, _: read_only(a.copy()),
    "not contiguous": lambda a, _: every_second(a),
    "negative strides": lambda a, _: a[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "Fortran order": lambda a, _: np.asfortranarray(a),
    "memmap": mapped,
    "subclass": lambda a, _: a.copy().view(Subclass),
    "big-endian": lambda a, _: read_only((a / 255).astype(">f8")),
    "floats, channels first": lambda a, _: read_only(np.ascontiguousarray((a / 255).transpose(2, 0, 1))),
}


@pytest.fixture(autouse=True)
def no_warning() -> Iterator[None]:
    """Torch warns of tensors that would write into a read-only array."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture(params=LAYOUTS)
def laid_out(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[np.ndarray, np.ndarray, list[np.ndarray]]]:
    """Two images as plain arrays and in a layout; what is in memory is the same at the end."""
    plain = [drawn(), drawn()]
    given = [LAYOUTS[request.param](image, tmp_path / str(n)) for n, image in enumerate(plain)]
    before = [(image.tobytes(), image.strides, image.flags.writeable) for image in given]
    yield plain[0], plain[1], given
    assert [(image.tobytes(), image.strides, image.flags.writeable) for image in given] == before


def test_score_changes_no_image(laid_out: tuple[np.ndarray, np.ndarray, list[np.ndarray]]) -> None:
    a, b, given = laid_out
    expected = {name: score.value for name, score in vitiq.score(a, b, metrics=PAIR).items()}
    assert {name: score.value for name, score in vitiq.score(given[0], given[1], metrics=PAIR).items()} == expected
    assert len(expected) == len(PAIR.split(","))
    of_sets = {name: score.value for name, score in vitiq.score_sets([a, b], [b, a], metrics=SETS).items()}
    assert {name: s.value for name, s in vitiq.score_sets(given, given[::-1], metrics=SETS).items()} == of_sets


@pytest.mark.parametrize("codec", CODECS)
def test_encode_changes_no_image_and_decode_hands_out_its_own(
    laid_out: tuple[np.ndarray, np.ndarray, list[np.ndarray]], codec: str
) -> None:
    a, _, given = laid_out
    coded = vitiq.encode(given[0], codec)
    assert coded.data == vitiq.encode(a, codec).data
    image = vitiq.decode(coded)
    kept = image.copy()
    image[:] = 0  # it can be written to, and is nobody else's
    np.testing.assert_array_equal(vitiq.decode(coded), kept)


@pytest.mark.parametrize("metric", ["mse", "ssim", "fsim", "vif", "brisque", "vit-topk", "kid-pixel"])
def test_torchmetric_changes_no_tensor(metric: str) -> None:
    plain = torch.from_numpy(np.stack([drawn(), drawn()])).permute(0, 3, 1, 2).float() / 255
    tensors = [plain, plain.flip(3), plain.to(memory_format=torch.channels_last), plain[:1].expand(2, -1, -1, -1)]
    for tensor in tensors:
        before = tensor.clone()
        made = vitiq.torchmetric(metric)
        made.update(tensor) if metric == "brisque" else made.update(tensor, plain.flip(0))
        made.compute()
        assert torch.equal(tensor, before)
