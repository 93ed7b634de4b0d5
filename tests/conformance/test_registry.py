"""Everything that is registered keeps its contract.

Truth: the contracts in codecs/base.py, metrics/base.py and those of the other groups; a decoder in another process is
the `vitiq` program itself.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from vitiq import registry
from vitiq.codecs.base import Codec
from vitiq.codecs.detect import codec_of
from vitiq.codecs.entropy_coding import EntropyModel
from vitiq.codecs.inversion.generators import load_generator
from vitiq.codecs.inversion.latent_coding import LayeredEntropyModel, decode_latents, encode_latents
from vitiq.codecs.spec import make_codec
from vitiq.errors import BitstreamError, InputError, UnknownNameError, VitiqError, WeightsError
from vitiq.image.io import read_image
from vitiq.losses import loss_class
from vitiq.metrics.base import Metric, PairMetric
from vitiq.metrics.scoring import metadata, resolve_metrics, score_pair, to_json
from vitiq.models.backbones import load_backbone
from vitiq.types import ImageU8, Quality

# These two need a program or weights; tests/unit/test_command_codec.py and test_compressai_codec.py hold them to it.
CODECS = [name for name in registry.names("codecs") if name not in {"cmd", "compressai"}]
# Options that a plug-in under test needs: {"codec": {"option": "value"}}.
GIVEN = json.loads(os.environ.get("VITIQ_CONFORMANCE_OPTIONS", "{}"))
METRICS = registry.names("metrics")


def quick(name: str) -> Codec:
    return make_codec(name, GIVEN.get(name, {"iterations": 3} if name.startswith("inversion") else {}))


def small_quality(codec: Codec) -> float:
    return 1540 if codec.quality_range is None else codec.default_quality


@pytest.mark.parametrize("name", CODECS)
def test_codec_round_trip_in_another_process(name: str, small: ImageU8, tmp_path: Path) -> None:
    codec = quick(name)
    assert codec.name == name
    assert tuple(sorted(codec.qualities)) == codec.qualities
    data = codec.encode(small, Quality(small_quality(codec)))
    found = codec_of(data)
    assert found == name or registry.load("codecs", found)().decode(data).shape == small.shape
    assert codec.encode(small, Quality(small_quality(codec))) == data
    image = codec.decode(data)
    assert image.shape == small.shape
    assert image.dtype == np.uint8
    assert sum(codec.inspect(data).sections.values()) == len(data)
    json.dumps(dict(codec.identity()))
    (tmp_path / "file").write_bytes(data)
    command = [sys.executable, "-m", "vitiq", "decode", str(tmp_path / "file"), "-o", str(tmp_path / "out.png")]
    subprocess.run(command, check=True, capture_output=True)
    again = read_image(tmp_path / "out.png")
    # A program's file may be of a format that vitiq reads itself.
    assert np.array_equal(again, image) or (found != name and np.abs(again.astype(int) - image).max() <= 3)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 200)])
def test_codec_odd_sizes(name: str, shape: tuple[int, int]) -> None:
    codec = quick(name)
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    try:
        data = codec.encode(image, Quality(small_quality(codec)))
    except InputError as error:
        assert "cannot hold" in str(error)  # noqa: PT017 - a format may refuse, with a word
        return
    assert codec.decode(data).shape == image.shape


@pytest.mark.parametrize("name", CODECS)
def test_damaged_files_are_reported(name: str, small: ImageU8) -> None:
    codec = quick(name)
    data = codec.encode(small, Quality(small_quality(codec)))
    rng = np.random.default_rng(0)
    for cut in (0, 1, 5, len(data) // 2):
        outcome(codec, data[:cut], small.shape, strict=cut < 6 or codec.extension == ".viq")
    for position in rng.integers(0, len(data), 12).tolist():
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(0, 8))
        outcome(codec, bytes(flipped), small.shape, strict=codec.extension == ".viq")


def outcome(codec: Codec, data: bytes, shape: tuple[int, ...], *, strict: bool) -> None:
    """BitstreamError always for .viq; formats without checksums may also give an image."""
    if strict:
        with pytest.raises(BitstreamError):
            codec.decode(data)
        return
    try:
        assert codec.decode(data).ndim == len(shape)
    except VitiqError as error:
        assert isinstance(error, BitstreamError)  # noqa: PT017


@pytest.mark.parametrize("name", registry.names("filters"))
def test_filter_keeps_the_contract(name: str, small: ImageU8) -> None:
    codec = make_codec(f"jpeg+{name}")
    data = codec.encode(small, Quality(20))
    image = codec.decode(data)
    assert image.shape == small.shape
    assert image.dtype == np.uint8
    assert np.array_equal(codec.decode(data), image)
    assert data == make_codec("jpeg").encode(small, Quality(20)), "a filter changes no file"
    assert f'"name": "{name}"' in json.dumps(dict(codec.identity()))
    assert codec.shared_bytes() >= 0


@pytest.mark.parametrize("name", registry.names("backbones"))
def test_backbone_keeps_the_contract(name: str, small: ImageU8) -> None:
    path = GIVEN.get(name, {}).get("weights")
    if path is None and name != "vit-embedded":
        with pytest.raises(WeightsError, match="checkpoint"):
            load_backbone(name)
        return
    backbone = load_backbone(name, None if path is None else Path(path))
    logits = backbone.logits([small, small[::-1].copy()])
    assert logits.shape == (2, len(backbone.labels))
    assert np.allclose(logits[0], backbone.logits([small])[0], atol=1e-4)
    assert backbone.weights_sha256[:12] in backbone.signature()
    assert backbone.tokens([small]).shape[0] == 1


@pytest.mark.parametrize("name", registry.names("generators"))
def test_generator_keeps_the_contract(name: str) -> None:
    path = GIVEN.get(name, {}).get("weights")
    if path is None and name == "pgan":
        with pytest.raises(WeightsError, match="pgan:PATH"):
            load_generator(name)
        return
    generator = load_generator(name if path is None else f"{name}:{path}")
    assert generator.name
    assert len(bytes.fromhex(generator.weights_sha256)) == 32
    shapes = [(1, layer.channels, layer.height, layer.width) for layer in generator.layers]
    latents = [torch.zeros(shape, requires_grad=True) for shape in shapes]
    image = generator.generate(latents)
    assert image.shape == (1, 3, generator.resolution, generator.resolution)
    (gradient,) = torch.autograd.grad(image.sum(), latents[:1])
    assert torch.isfinite(gradient).all()
    assert torch.equal(generator.generate(latents), image)
    alone = [latents[0], *(torch.zeros_like(layer) for layer in latents[1:])]
    assert torch.allclose(generator.generate(latents[:1]), generator.generate(alone), atol=1e-5)
    found = generator.encode(image.detach())
    assert found is None or [tuple(layer.shape) for layer in found] == shapes[: len(found)]
    side = generator.resolution + (generator.stride or 1)
    if generator.stride is None:
        with pytest.raises(InputError, match=f"{side}×{side} given"):
            generator.at(side, side)
    else:
        larger = generator.at(side, side)
        zeros = [torch.zeros(1, layer.channels, layer.height, layer.width) for layer in larger.layers]
        assert larger.generate(zeros).shape == (1, 3, side, side)


def entropy_model(name: str, shapes: list[tuple[int, int, int]]) -> EntropyModel:
    """A registered one, or "" for the embedded generator's own."""
    if name:
        made: EntropyModel = registry.load("entropy_models", name)(shapes, 20)
        return made
    prior = load_generator().integer_prior
    assert prior is not None
    return LayeredEntropyModel(prior, shapes, 20)


@pytest.mark.parametrize("name", ["", *registry.names("entropy_models")])
def test_entropy_model_keeps_the_contract(name: str) -> None:
    layers = load_generator().layers
    shapes = [(layer.channels, layer.height, layer.width) for layer in layers]
    rng = np.random.default_rng(0)
    symbols = [rng.integers(-3, 4, shape) for shape in shapes]
    symbols[0][0, 0, 0] = 30_000  # beyond every table
    model = entropy_model(name, shapes)
    assert model.exact
    assert (model.tables.sum(axis=-1) == 2**16).all()
    assert model.tables.min() >= 1
    data = encode_latents(symbols, model)
    for found, wanted in zip(decode_latents(data, entropy_model(name, shapes)), symbols, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", METRICS)
def test_metric_states_itself(name: str) -> None:
    metric: Metric = resolve_metrics([name])[0]
    assert metric.name == name
    low, high = metric.range
    assert low < high
    json.dumps(metadata(metric), allow_nan=False)
    if metric.differentiable:
        assert loss_class(name).metric == name
    try:
        assert name in metric.signature()
        assert metric.signature() == metric.signature()
    except WeightsError as error:  # InceptionV3's are not shipped; tests/conformance/test_set_metrics.py has others
        assert "vitiq models fetch inception-fid" in str(error)  # noqa: PT017
        assert "inception" in name or name in {"fid", "kid", "patch-fid", "patch-kid", "patch-is"}


def test_pair_metrics_are_best_for_identical_images(bundled: dict[str, ImageU8]) -> None:
    image = bundled["animal"]
    metrics = resolve_metrics("all")
    scores = score_pair(image, image, metrics)
    pair_metrics = [m for m in metrics if isinstance(m, PairMetric)]
    without_weights = {m.name for m in pair_metrics if "weights:missing" in m.signature()}
    without_programs = {m.name for m in pair_metrics if math.isnan(scores[m.name].value)} - without_weights
    assert without_weights <= {"lpips", "lpips-vgg", "dists", "wasserstein"}
    assert without_programs <= {"butteraugli", "cvvdp", "vmaf"}
    assert set(scores) == {m.name for m in pair_metrics}
    for metric in metrics:
        if metric.name in without_weights | without_programs:
            hint = "vitiq models fetch" if metric.name in without_weights else "install"
            assert hint in str(scores[metric.name].details["undefined"])
            assert math.isnan(scores[metric.name].value)
            continue
        if isinstance(metric, PairMetric) and metric.kind != "no-reference":
            low, high = metric.range
            best = high if metric.higher_is_better else low
            best = best if metric.identical is None else metric.identical
            assert math.isnan(best) or scores[metric.name].value == best
        if isinstance(metric, PairMetric):
            json.dumps(to_json(scores[metric.name]), allow_nan=False)
            assert not math.isnan(scores[metric.name].value)


def test_unknown_names_list_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="jpeg"):
        registry.load("codecs", "jpge")
