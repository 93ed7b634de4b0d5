"""Losses that latents are searched for, by one registry, and the stand-ins of metrics without a slope.

Truth: the metrics themselves, in the limit; identities and orders; NumPy's Fréchet distance; differences for gradients.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vitiq import losses, registry
from vitiq.codecs.inversion.codec import Inversion
from vitiq.codecs.inversion.vector import InversionVector
from vitiq.codecs.transform.codec import Generative, GenerativeMse, TransformViqCodec
from vitiq.errors import InputError
from vitiq.metrics.semantic.label_overlap import overlap
from vitiq.metrics.semantic.vit_stand_ins import VitTopKLoss, soft_members
from vitiq.metrics.sets.frechet import frechet_distance
from vitiq.metrics.sets.losses import PatchFidLoss, PatchFidVitLoss, PatchFrechetLoss, frechet
from vitiq.metrics.sets.vit import VitSource
from vitiq.models.inception import InceptionV3
from vitiq.models.inception_reader import InceptionReader
from vitiq.optimise.distortion import distortion
from vitiq.optimise.settings import WEIGHTINGS, networks_of, weighting
from vitiq.types import ImageU8, Quality

SHIPPED = [name for name in WEIGHTINGS if name != "fid"]
"""Those that need no fetched weights."""


@pytest.mark.parametrize("name", [*SHIPPED, "vit-js", "ssim-y"])
def test_losses_are_least_for_the_target_and_differentiable(name: str) -> None:
    torch.manual_seed(0)
    target = torch.rand(1, 3, 48, 64)
    loss = distortion(name, target)
    off = (target + 0.2 * torch.randn_like(target)).requires_grad_()
    with torch.no_grad():
        least = float(loss(target))
        assert least < float(loss(off)) - 1e-4
    if not name.startswith("psnr"):
        assert least == pytest.approx(0, abs=1e-5)
    value = loss(off)
    torch.autograd.backward(value)
    assert off.grad is not None
    assert float(off.grad.abs().max()) > 0
    assert bool(off.grad.isfinite().all())


def test_every_loss_of_a_metric_can_be_searched_for() -> None:
    """One registry: what `vitiq.losses` has, each searching codec takes, and nothing that it has not."""
    for name in losses.LOSSES:
        assert weighting(name).loss == name
    for name in WEIGHTINGS:
        assert WEIGHTINGS[name].loss in {**losses.LOSSES, **losses.STAND_INS}
    for codec in (Inversion, InversionVector, Generative, GenerativeMse):
        search = {"refine": 1} if issubclass(codec, TransformViqCodec) else {}
        assert codec(loss="vit-topk", optimizer="sgd", **search).options.loss == "vit-topk"
        with pytest.raises(InputError, match=r"loss 'psnr' given.*expected one of mse"):
            codec(loss="psnr")
        with pytest.raises(InputError, match="loss 'brisque' given"):
            codec(loss="brisque")


def test_networks_that_look_on_are_named() -> None:
    assert networks_of("mse") == ()
    assert networks_of("vit") == networks_of("vit-topk") == networks_of("fid-vit") == ("vit-embedded",)
    assert networks_of("lpips")[0] == "lpips-alex"
    assert networks_of("fid") == ("inception-fid",)
    assert Generative(refine=1, loss="vit-topk").optimised_against() == ("codec-embedded", "vit-embedded")
    assert Generative().optimised_against() == ("codec-embedded",)


def test_unknown_losses_are_reported() -> None:
    with pytest.raises(InputError, match=r"loss 'ms-sim' given \(did you mean ms-ssim\?\)"):
        distortion("ms-sim", torch.zeros(1, 3, 8, 8))


def test_small_images_are_extended() -> None:
    """MS-SSIM needs 176 pixels per side; the working resolution of an inversion may be 64."""
    target = torch.rand(1, 3, 64, 80)
    assert float(distortion("ms-ssim", target)(target)) == pytest.approx(0, abs=1e-6)


def test_soft_members_count_k_and_become_the_top_k() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 40, dtype=torch.float64) * 3
    for temperature in (2.0, 0.3, 1e-3):
        members = soft_members(logits, 7, temperature)
        assert members.sum(dim=1).tolist() == pytest.approx([7] * 3, abs=1e-6)
        assert bool(((members > 0.5).sum(dim=1) <= 8).all())
    hard = torch.zeros_like(logits).scatter(1, logits.topk(7, dim=1).indices, 1)
    assert soft_members(logits, 7, 1e-4).sub(hard).abs().max() < 1e-6
    assert torch.autograd.gradcheck(lambda z: soft_members(z, 7, 0.5), (logits.requires_grad_(),))


@pytest.mark.parametrize(("k", "temperature"), [(0, 1.0), (40, 1.0), (3, 0.0)])
def test_soft_members_refuse(k: int, temperature: float) -> None:
    with pytest.raises(InputError, match="1 to 39 and above 0 expected"):
        soft_members(torch.zeros(1, 40), k, temperature)


def _tensor(image: ImageU8) -> Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255


def test_relaxed_top_k_becomes_the_vit_score(bundled: dict[str, ImageU8]) -> None:
    side = VitTopKLoss().backbone.image_size
    image = np.ascontiguousarray(bundled["animal"][100 : 100 + side, 100 : 100 + side])
    codec = GenerativeMse()
    coded = codec.decode(codec.encode(image, Quality(5)))
    loss = VitTopKLoss(temperature=1e-4)
    with torch.no_grad():
        p, q = (loss.backbone.logits_tensor(_tensor(x))[0].numpy() for x in (image, coded))
        found = 1 - float(loss(_tensor(coded), _tensor(image)))
    assert found == pytest.approx(overlap(p, q, 100).score, abs=0.011)  # a label at the threshold may count in part
    assert found < 1


def test_a_step_down_its_slope_lowers_the_relaxed_loss(bundled: dict[str, ImageU8]) -> None:
    reference = _tensor(bundled["portrait"][:192, :192])
    image = (reference + 0.1 * torch.randn(reference.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    compare = losses.loss("vit-topk").against(reference)
    (slope,) = torch.autograd.grad(compare(image.requires_grad_()), image)
    with torch.no_grad():
        assert compare(image - 0.003 * slope.sign()) < compare(image)


@pytest.mark.parametrize(("n", "m"), [(6, 9), (40, 30)])
def test_frechet_is_numpys(n: int, m: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(n, 12)), rng.normal(1, 2, size=(m, 12))
    found = frechet(torch.from_numpy(a), torch.from_numpy(b))
    assert float(found) == pytest.approx(frechet_distance(a, b), rel=1e-9)
    assert float(frechet(torch.from_numpy(a), torch.from_numpy(a))) == pytest.approx(0, abs=1e-10)
    moved = torch.from_numpy(b).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: frechet(torch.from_numpy(a), x), (moved,))


def test_patch_fid_is_the_metrics(bundled: dict[str, ImageU8]) -> None:
    """Of all patches, when nothing is searched; but for torch's resize in the place of Pillow's."""
    image = np.ascontiguousarray(bundled["animal"][:256, :320])
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 20, image.shape), 0, 255).astype(np.uint8)
    loss, source = PatchFidVitLoss(), VitSource(None, patched=True)
    expected = frechet_distance(*(source.rows(x, "features").astype(np.float64) for x in (image, noisy)))
    with torch.no_grad():
        assert float(loss(_tensor(noisy), _tensor(image))) == pytest.approx(expected, rel=0.03)
        assert float(loss.against(_tensor(image))(_tensor(noisy))) == pytest.approx(expected, rel=0.03)


class _Means(PatchFrechetLoss):
    metric, patch, stride = "means", 8, 4

    def features(self, patches: Tensor) -> Tensor:
        return torch.cat([patches.mean(dim=(2, 3)), patches.amax(dim=(2, 3))], dim=1)


def test_running_statistics_come_near_the_distance_of_all_patches() -> None:
    """While the image stands still, their mean is about the distance of all patches, and the slopes point down."""
    rng = torch.Generator().manual_seed(0)
    reference = torch.rand(1, 3, 48, 64, generator=rng)
    image = (0.5 * reference).requires_grad_()
    compare = _Means().against(reference)
    values = [float(compare(image).detach()) for _ in range(60)][20:]
    with torch.no_grad():
        whole = float(compare(image))
    assert np.mean(values) == pytest.approx(whole, rel=0.25)
    (slope,) = torch.autograd.grad(compare(image), image)
    with torch.no_grad():
        assert float(compare(image - 0.1 * slope)) < whole
    with pytest.raises(InputError, match="N×3×H×W"):
        _Means()(torch.zeros(3, 8, 8), torch.zeros(3, 8, 8))


@pytest.mark.parametrize("size", [(2, 2), (3, 9), (11, 40), (12, 12), (300, 13)])
def test_any_image_has_enough_patches(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, *size)
    assert float(_Means()(image, image)) == pytest.approx(0, abs=1e-5)


def test_inception_patches_have_a_slope(tmp_path: Path) -> None:
    """The network of `fid` with random weights in its layout."""
    torch.manual_seed(0)
    path = tmp_path / "random.pth"
    torch.save(InceptionV3().state_dict(), path)
    reader = InceptionReader(path)
    image = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        rows = reader.features([(255 * x.permute(1, 2, 0)).round().byte().numpy() for x in image])
        found = reader.features_tensor((255 * image).round() / 255)
    np.testing.assert_allclose(found, rows, rtol=0.05, atol=0.05 * float(np.abs(rows).max()))
    loss = PatchFidLoss(reader)
    off = (image * 0.8).requires_grad_()
    (slope,) = torch.autograd.grad(loss(off, image), off)
    assert bool(slope.isfinite().all())
    assert float(slope.abs().max()) > 0


def test_stand_ins_are_of_metrics() -> None:
    assert {"vit-topk", "fid", "fid-vit"} <= set(registry.names("metrics")) & set(losses.STAND_INS)
