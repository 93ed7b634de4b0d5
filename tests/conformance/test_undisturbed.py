"""What a training around has set torch to changes no value and no byte: autocast, and the device of new tensors.

Truth: the same call without it. All that is registered is called, a plug-in's too, but for what needs a program or
weights that nobody has made; networks that want fetched weights have random ones.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vitiq import registry
from vitiq.codecs.base import Codec
from vitiq.codecs.spec import make_codec
from vitiq.codecs.viq_codec import ViqCodec
from vitiq.errors import InputError
from vitiq.filters.deblock.filter import restore_jpeg
from vitiq.losses import LOSSES, STAND_INS, loss
from vitiq.metrics.base import PairMetric, SetMetric
from vitiq.metrics.perceptual.base import PerceptualMetric
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.metrics.semantic.vit_map import meaning_map
from vitiq.metrics.sets.rows import RowGatherer, RowMetric, rows_of
from vitiq.models import inception_reader
from vitiq.models.backbones import Backbone
from vitiq.models.inception import InceptionV3
from vitiq.types import ImageU8, Quality


@contextmanager
def around() -> Iterator[None]:
    """A tensor on `meta` has no numbers: whoever makes one there by mistake fails."""
    with torch.device("meta"), torch.autocast("cpu", dtype=torch.bfloat16):
        yield


CODECS = [name for name in registry.names("codecs") if name not in {"cmd", "compressai"}]
CLASSES = {name: registry.load("metrics", name) for name in registry.names("metrics")}
PAIRS = [name for name, found in CLASSES.items() if issubclass(found, PairMetric) and name != "vit-panel"]
SETS = [name for name, found in CLASSES.items() if issubclass(found, RowMetric)]
WITH_WEIGHTS = sorted({*LOSSES, *STAND_INS} - {"lpips", "lpips-vgg", "dists", "wasserstein", "fid"})


def fresh_backbone() -> Backbone:
    """One that keeps nothing yet."""
    found: Backbone = registry.load("backbones", "vit-embedded")()
    return found


@pytest.fixture(scope="session")
def inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(InceptionV3().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def images(bundled: dict[str, ImageU8]) -> list[ImageU8]:
    return [np.ascontiguousarray(image[100:356, 100:357]) for image in bundled.values()]


@pytest.fixture(scope="module")
def jpegs(images: list[ImageU8]) -> list[ImageU8]:
    codec = make_codec("jpeg")
    return [codec.decode(codec.encode(image, Quality(15))) for image in images]


def of_codec(name: str, image: ImageU8) -> list[Any]:
    codec: Codec = make_codec(name, {"iterations": 2} if name.startswith("inversion") else {})
    data = codec.encode(image, Quality(1540 if codec.quality_range is None else codec.default_quality))
    found: list[Any] = [data, codec.decode(data).tobytes()]
    found += [latents.tobytes() for latents in codec.inspect(data, symbols=True).latents or ()]
    if isinstance(codec, ViqCodec) and (reader := codec.label_reader(data)) is not None:
        found.append(reader.read().logits.tobytes())
    return found


@pytest.mark.parametrize("name", CODECS)
def test_files_and_images_of_codecs(name: str, small: ImageU8) -> None:
    truth = of_codec(name, small)
    with around():
        found = of_codec(name, small)
    assert found == truth


@pytest.mark.parametrize("name", registry.names("filters"))
def test_images_of_filters(name: str, images: list[ImageU8]) -> None:
    codec = make_codec(f"jpeg+{name}")
    data = codec.encode(images[0], Quality(10))
    truth = codec.decode(data)
    with around():
        assert np.array_equal(codec.decode(data), truth)
        if name == "deblock":
            assert np.array_equal(restore_jpeg(data, "it")[0], truth)


@pytest.mark.parametrize("name", PAIRS)
def test_values_of_pairs(name: str, weights: Path, images: list[ImageU8], jpegs: list[ImageU8]) -> None:
    def value() -> Any:
        if issubclass(CLASSES[name], PerceptualMetric):
            metric = resolve_metrics([f"{name}@{weights}"])[0]
        else:
            metric = resolve_metrics([name], fresh_backbone())[0]
        score = score_pair(images[0].copy(), jpegs[0].copy(), [metric])[metric.name]
        return repr(score.value), score.signature, metric.signature()

    truth = value()
    with around():
        found = value()
    assert found == truth


def test_values_of_sets(
    images: list[ImageU8], jpegs: list[ImageU8], inception: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them at once, since many share their rows."""
    monkeypatch.setattr(inception_reader, "fid_reader", lambda _: inception_reader.InceptionReader(inception))

    def values() -> tuple[list[dict[str, bytes]], dict[str, str]]:
        metrics = resolve_metrics(SETS, fresh_backbone())
        gathered, found = RowGatherer(metrics), []
        for pair in zip(images[:2], jpegs[:2], strict=True):
            rows = [rows_of(image, metrics) for image in pair]
            gathered.add(rows[0], rows[1])
            found += [{key: np.asarray(array).tobytes() for key, array in side.items()} for side in rows]
        return found, {name: repr(score) for name, score in gathered.scores().items()}

    truth = values()
    assert len(truth[1]) == len(SETS)
    with around():
        found = values()
    assert found == truth


def test_backbones_and_what_they_keep(images: list[ImageU8]) -> None:
    truth, inside = fresh_backbone(), None
    tile = np.ascontiguousarray(images[0][:224, :224])

    def read(backbone: Backbone) -> list[bytes]:
        found = [backbone.logits([tile]), backbone.features([tile]), backbone.tokens([tile]), backbone.levels([tile])]
        drawn = meaning_map(tile, tile[::-1].copy(), backbone)
        return [array.tobytes() for array in (*found, backbone.rollout(tile), drawn.loss, drawn.attention)]

    with around():
        inside = fresh_backbone()
        first = read(inside)
        signature = inside.signature()
    assert first == read(truth)
    assert read(inside) == first
    assert signature == truth.signature()


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_values_and_slopes_of_losses(name: str, images: list[ImageU8], jpegs: list[ImageU8]) -> None:
    """Slopes are taken outside: torch itself narrows what `backward` multiplies inside, and advises against it."""
    reference, other = (
        torch.from_numpy(side[0].copy()).permute(2, 0, 1)[None].float() / 255 for side in (images, jpegs)
    )
    criterion, given = loss(name), other.detach().requires_grad_()
    truth = criterion(given, reference)
    with around():
        found = criterion(given, reference)
    assert found.item() == truth.item()
    slope, wanted = (torch.autograd.grad(value, given)[0] for value in (found, truth))
    assert torch.allclose(slope, wanted, rtol=1e-4, atol=1e-6 * float(wanted.abs().max()))


def test_what_is_first_used_inside(tmp_path: Path) -> None:
    """What is loaded and kept inside serves those outside. Processes of their own, since networks are kept."""
    code = """
import sys, hashlib, contextlib, numpy as np, torch, vitiq
def all_of():
    image = np.random.default_rng(0).integers(0, 256, (96, 80, 3), dtype=np.uint8)
    found = [vitiq.score(image, image[::-1].copy(), "vit-prob,vit-tiles,nlpd,ssimulacra2,fsim,vif,ssim,brisque")]
    for name in ("generative", "generative-mse", "jpeg+deblock"):
        data = vitiq.encode(image, name).data
        found += [hashlib.sha256(data).hexdigest(), hashlib.sha256(vitiq.decode(data, name)).hexdigest()]
    return repr(found)
if sys.argv[1] == "inside":
    torch.set_default_device("meta")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        print(all_of())
    torch.set_default_device(None)
print(all_of())
"""
    (tmp_path / "code.py").write_text(code)
    words = [sys.executable, str(tmp_path / "code.py")]
    alone, inside = (
        subprocess.run([*words, where], capture_output=True, text=True, check=True).stdout.splitlines()
        for where in ("alone", "inside")
    )
    assert inside == alone * 2


def test_a_plug_in_s_methods_are_shielded() -> None:
    """Whatever class: a plug-in's metric need not know of it."""

    def product() -> torch.dtype:
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype

    seen: list[torch.dtype] = []

    class Own(SetMetric):
        name, title, range, higher_is_better, kind = "own", "Own", (0.0, 1.0), True, "distribution"

        def signature(self) -> str:
            return "own"

        def rows(self, image: ImageU8) -> np.ndarray:
            seen.append(product())
            return np.zeros((1, 1), np.float32)

        def __call__(self, reference: Any, distorted: Any) -> Any:
            seen.append(product())
            raise InputError("seen")

    with torch.autocast("cpu", dtype=torch.bfloat16):
        Own().rows(np.zeros((2, 2, 3), np.uint8))
        with pytest.raises(InputError, match="seen"):
            Own()([], [])
        assert product() == torch.bfloat16, "and the caller's own setting stays"
    assert seen == [torch.float32] * 2
