"""Torch losses of the ViT-Score family. Truth: the metrics of the same names on images that need no resize."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vitiq import registry
from vitiq.codecs.classical.pillow import Jpeg
from vitiq.errors import InputError
from vitiq.metrics.scoring import resolve_metrics
from vitiq.metrics.semantic import vit_losses
from vitiq.metrics.semantic.vit_losses import VitLoss, VitTilesLoss
from vitiq.types import ImageU8, Quality

LOSSES = [
    item
    for name, item in vars(vit_losses).items()
    if name.endswith("Loss")
    and not name.startswith("_")
    and item.__module__ == vit_losses.__name__
    and item is not VitLoss
]


def tensor(*images: ImageU8) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def pairs(bundled: dict[str, ImageU8], size: int = 224) -> tuple[list[ImageU8], list[ImageU8]]:
    images = [
        np.ascontiguousarray(bundled[name][100 : 100 + size, 100 : 100 + size]) for name in ("animal", "portrait")
    ]
    codec = Jpeg()
    return images, [codec.decode(codec.encode(p, Quality(q))) for p, q in zip(images, (5, 30), strict=True)]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_one_minus_its_metric(loss: type[VitLoss], bundled: dict[str, ImageU8]) -> None:
    size = 400 if loss is VitTilesLoss else 224
    references, distorted = pairs(bundled, size)
    metric = resolve_metrics(loss.metric)[0]
    assert metric.differentiable
    expected = [score.value for score in metric.batch(references, distorted)]  # type: ignore[attr-defined]
    with torch.no_grad():
        found = loss()(tensor(*distorted), tensor(*references))
        each = loss().scores(tensor(*distorted), tensor(*references))
    assert each.tolist() == pytest.approx(expected, abs=2e-4)
    assert float(found) == pytest.approx(1 - np.mean(expected), abs=2e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_where_images_are_resized_a_loss_is_near_its_metric(loss: type[VitLoss], bundled: dict[str, ImageU8]) -> None:
    """Within what docs/howto/choose-a-loss.md says; both read other pixels."""
    apart = {"vit-prob": 0.02, "vit-js": 0.006, "vit-bc": 0.006}.get(loss.metric, 0.002)
    reference = np.ascontiguousarray(bundled["building"][:193, :255])
    distorted = Jpeg().decode(Jpeg().encode(reference, Quality(10)))
    (expected,) = resolve_metrics(loss.metric)[0].batch([reference], [distorted])  # type: ignore[attr-defined]
    with torch.no_grad():
        (found,) = loss().scores(tensor(distorted), tensor(reference)).tolist()
    assert found != pytest.approx(expected.value, abs=1e-6)
    assert found == pytest.approx(expected.value, abs=apart)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_down_the_gradient_lowers_it(loss: type[VitLoss], bundled: dict[str, ImageU8]) -> None:
    references, distorted = pairs(bundled)
    wanted, image = tensor(references[0]), tensor(distorted[0]).requires_grad_()
    measure = loss()
    before = measure(image, wanted)
    (slope,) = torch.autograd.grad(before, image)
    assert bool(slope.isfinite().all())
    with torch.no_grad():
        assert float(measure(image - 0.003 * slope.sign(), wanted)) < before.item()


@pytest.mark.parametrize("loss", LOSSES)
def test_identical_images_have_no_loss_and_a_finite_slope(loss: type[VitLoss], bundled: dict[str, ImageU8]) -> None:
    image = tensor(pairs(bundled)[0][0]).requires_grad_()
    value = loss()(image, image.detach())
    assert value.item() == pytest.approx(0, abs=2e-5)
    assert bool(torch.autograd.grad(value, image)[0].isfinite().all())


def test_every_differentiable_semantic_metric_has_a_loss() -> None:
    metrics = [registry.load("metrics", name) for name in registry.names("metrics")]
    wanted = {m.name for m in metrics if m.kind == "semantic" and m.differentiable}
    assert {loss.metric for loss in LOSSES} == wanted


def test_unequal_shapes_are_reported() -> None:
    with pytest.raises(InputError, match=r"\(1, 3, 8, 8\) and \(1, 3, 8, 9\)"):
        vit_losses.VitJsLoss()(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9))
