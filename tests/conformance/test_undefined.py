"""No metric makes a value of what is not a number, and none takes what is no image.

Truth: arithmetic. A network with one weight that is NaN gives NaN for every image, and so must everything that is
computed from it; every registered metric is asked.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from vitiq import registry
from vitiq.errors import InputError, UndefinedError
from vitiq.metrics.base import Metric, PairMetric, SetMetric
from vitiq.metrics.perceptual import brisque as brisque_module
from vitiq.metrics.perceptual.base import PerceptualMetric
from vitiq.metrics.perceptual.brisque_model import SupportVectors
from vitiq.metrics.scoring import resolve_metrics, score_pair, score_pairs, score_sets
from vitiq.metrics.semantic.label_overlap import overlap
from vitiq.metrics.semantic.matching import cosines
from vitiq.metrics.semantic.vit_map import meaning_map
from vitiq.metrics.sets.frechet import frechet_distance
from vitiq.metrics.sets.inception_score import inception_score
from vitiq.metrics.sets.kernel_distance import kernel_distance
from vitiq.metrics.sets.precision_recall import share_within
from vitiq.models import inception_reader
from vitiq.models.backbones.base import Backbone, Preprocessing
from vitiq.models.inception import InceptionV3
from vitiq.models.perceptual import ALEXNET, VGG16, VGG16_CHANNELS
from vitiq.models.top_labels import top_labels
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.types import ImageU8, Score

METRICS = registry.names("metrics")
NETWORKLESS = {"mse", "rmse", "mae", "psnr-rgb", "psnr-y", "ssim", "ssim-y", "ssim-skimage", "ms-ssim", "ms-ssim-y"}
NETWORKLESS |= {"psnr-u", "psnr-v", "iw-ssim", "vif", "fsim", "gmsd", "ssimulacra2", "nlpd", "haarpsi", "psnr-hvs"}
NETWORKLESS |= {"psnr-hvs-m", "ciede2000", "butteraugli", "cvvdp", "vmaf"}
NETWORKLESS |= {"frechet-pixel", "fid-pixel", "kid-pixel", "precision-pixel", "recall-pixel"}
NETWORKLESS |= {"patch-fid-pixel", "patch-kid-pixel", "patch-precision-pixel", "patch-recall-pixel"}
"""Their arithmetic is on bytes: nothing in it can be NaN."""

CONFIG = ViTConfig(image_size=32, patch=16, width=64, depth=2, heads=1, classes=200)


def spoilt(place: str, value: float) -> Backbone:
    torch.manual_seed(0)
    model = VisionTransformer(CONFIG)
    with torch.no_grad():
        dict(model.named_parameters())[place].view(-1)[0] = value
    return Backbone("spoilt", model, tuple(map(str, range(200))), Preprocessing(32), "0" * 64, 0, "float32")


def random_states(metric: type[PerceptualMetric]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    layout = ALEXNET if metric.name == "lpips" else VGG16
    trunk = {f"features.{k}.weight": torch.randn(shape[0], shape[1], shape[2], shape[2]) for k, shape in layout.items()}
    trunk |= {f"features.{k}.bias": torch.randn(shape[0]) for k, shape in layout.items()}
    trunk["features.0.weight"][0, 0, 0, 0] = math.nan
    channels = VGG16_CHANNELS if layout is VGG16 else [out for out, _, _ in ALEXNET.values()]
    own = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(channels)}
    own |= {"alpha": torch.rand(1, 1475, 1, 1), "beta": torch.rand(1, 1475, 1, 1), "log2_sigma": torch.tensor(4.0)}
    return own, trunk


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> inception_reader.InceptionReader:
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.manual_seed(0)
    torch.save(InceptionV3().state_dict(), path)
    found = inception_reader.InceptionReader(path)
    found._model.Conv2d_1a_3x3.conv.weight[0, 0, 0, 0] = math.nan
    return found


@pytest.fixture
def _spoilt_networks(monkeypatch: pytest.MonkeyPatch, reader: inception_reader.InceptionReader) -> None:
    """InceptionV3 and BRISQUE's regression with a number that is NaN."""
    monkeypatch.setattr(inception_reader, "fid_reader", lambda resize: reader)
    ones = np.ones(36)
    model = SupportVectors(-ones, ones, math.nan, 0.0, np.ones(1), np.ones((1, 36)), "0" * 64)
    monkeypatch.setattr(brisque_module, "load_model", lambda folder: model)


@pytest.mark.parametrize("name", [name for name in METRICS if name not in NETWORKLESS])
@pytest.mark.usefixtures("_spoilt_networks")
def test_a_network_that_gives_nan_gives_no_value(name: str, bundled: dict[str, ImageU8]) -> None:
    metric: Metric = resolve_metrics(name, spoilt("blocks.1.mlp.fc1.weight", math.nan))[0]
    side = 64 if isinstance(metric, PairMetric) else 256
    images = [np.ascontiguousarray(image[40 : 40 + side, 150 : 150 + side]) for image in bundled.values()]
    if isinstance(metric, PerceptualMetric):
        metric.__dict__["states"] = random_states(type(metric))
    if isinstance(metric, PairMetric):
        both = [metric(images[0], images[1]), *metric.batch(images[:2], images[2:4])]
        both += [scores[name] for scores in score_pairs(images[:2], images[2:4], [metric])]
    else:
        assert isinstance(metric, SetMetric)
        both = [metric(images[:2], images[2:]), score_sets(images[:2], images[2:], [metric])[name]]
    for score in both:
        assert math.isnan(score.value)
        assert "finite" in str(score.details["undefined"])


@pytest.mark.parametrize("place", ["pos_embed", "blocks.0.attn.qkv.weight", "blocks.1.mlp.fc2.bias", "norm.weight"])
@pytest.mark.parametrize("value", [math.nan, math.inf, 3e38])
def test_wherever_the_number_lies(place: str, value: float, bundled: dict[str, ImageU8]) -> None:
    """A number that overflows on its way is the same fault; one that does not is an ordinary network."""
    backbone = spoilt(place, value)
    a, b = (np.ascontiguousarray(bundled[name][:64, :64]) for name in ("animal", "portrait"))
    metrics = resolve_metrics([name for name in METRICS if name.startswith("vit-")], backbone)
    for name, score in score_pair(a, b, metrics).items():
        assert math.isfinite(score.value) or "finite" in str(score.details["undefined"]), name
        if math.isfinite(score.value):
            assert not math.isnan(value)


def test_a_map_is_refused(small: ImageU8) -> None:
    with pytest.raises(UndefinedError, match="not finite"):
        meaning_map(small, small, spoilt("norm.bias", math.nan))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_pure_functions_refuse_what_has_no_rank_and_no_distance(bad: float) -> None:
    good = np.random.default_rng(0).random((8, 5))
    spoiled = good.copy()
    spoiled[3, 2] = bad
    for work in (frechet_distance, kernel_distance, share_within, cosines):
        for pair in ((good, spoiled), (spoiled, good), (spoiled, spoiled)):
            with pytest.raises(UndefinedError, match="not finite"):
                work(*pair)
    with pytest.raises(UndefinedError, match="not finite"):
        inception_score(spoiled)
    with pytest.raises(UndefinedError, match="not finite"):
        top_labels(spoiled[3], 2)
    with pytest.raises(UndefinedError, match="not finite"):
        overlap(spoiled[3], spoiled[3], 2)


def test_all_labels_are_no_question(small: ImageU8) -> None:
    for k in ("100%", "1000"):
        found = score_pair(small, small, resolve_metrics(f"vit-topk-adj@{k},vit-topk@{k}"))
        assert "all 1000 labels" in str(found[f"vit-topk-adj@{k}"].details["undefined"])
        assert found[f"vit-topk@{k}"].value == 1


@pytest.mark.parametrize(
    "name",
    [
        *("vit-topk@0", "vit-topk@", "vit-topk@ten", "vit-topk@nan%", "vit-topk@101%", "vit-topk@-5", "vit-topk@1e3"),
        *("vit-topk-adj@inf", "vit-topk-null@³", "vit-rbo@nan", "vit-rbo@1", "vit-panel@0", "vit-panel@x", "fid@foo"),
        *("mse@3", "vit-topk@9999999999"),
    ],
)
def test_a_parameter_that_means_nothing_is_refused_before_any_work(name: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve_metrics(name)
    assert name in str(caught.value) or name.partition("@")[2] in str(caught.value)
    assert "\n" not in str(caught.value)


NO_IMAGES: dict[str, Any] = {
    "float": np.zeros((32, 32, 3)),
    "grey": np.zeros((32, 32), np.uint8),
    "alpha": np.zeros((32, 32, 4), np.uint8),
    "channels first": np.zeros((3, 32, 32), np.uint8),
    "16 bits": np.zeros((32, 32, 3), np.uint16),
    "empty": np.zeros((0, 32, 3), np.uint8),
    "list": [[[0, 0, 0]]],
    "None": None,
    "tensor": torch.zeros(32, 32, 3, dtype=torch.uint8),
}


@pytest.mark.parametrize("kind", NO_IMAGES)
def test_what_is_no_image_is_refused(kind: str) -> None:
    good, bad = np.zeros((32, 32, 3), np.uint8), NO_IMAGES[kind]
    for metric in resolve_metrics(METRICS):
        single = isinstance(metric, PairMetric)
        work: Any = score_pair if single else score_sets
        own: Any = metric
        for pair in ((good, bad), (bad, good)):
            arguments = pair if single else tuple([image] for image in pair)
            for call in (own, lambda *given, metric=metric, work=work: work(*given, [metric])):
                with pytest.raises(InputError, match="expected"):
                    call(*arguments)


def test_a_plug_ins_metric_is_guarded_too(small: ImageU8) -> None:
    class Mine(PairMetric):
        name, title, kind, range, higher_is_better = "mine", "Mine", "full-reference", (0.0, 1.0), True
        reference, formula = "this test", "0 / 0"

        def signature(self) -> str:
            return "mine|v1"

        def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
            return Score(float("nan"), self.signature())

    assert Mine()(small, small).details["undefined"] == "the value is not a number"
    with pytest.raises(InputError, match="and float64 given as an image"):
        Mine()(small, np.zeros(small.shape))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="same size"):
        Mine()(small, small[1:])
