"""The block transform, the float prior and its integer twin.

Truth: SciPy's orthonormal DCT (`scipy.fft.dctn(norm="ortho")`); identities (an untrained codec is the DCT codec; the
integer twin predicts what the float prior does, up to its rounding).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from vitiq.codecs.entropy_coding import SymbolGroup
from vitiq.codecs.logistic import LOG_SCALE_MAX, LOG_SCALE_MIN, OFFSETS, SCALES
from vitiq.codecs.transform.hyper_context import PASSES, pass_of
from vitiq.codecs.transform.hyperprior import GROUPS, HYPER_CHANNELS, Hyperprior, passes, phase
from vitiq.codecs.transform.hyperprior_integer import (
    HYPER,
    LEVELS,
    SKIP_SCALE,
    HyperpriorModel,
    IntegerHyperprior,
    export_hyperprior,
    float_tensors,
)
from vitiq.codecs.transform.networks.block_dct import CHANNELS, basis, coefficient_order, colour_matrix
from vitiq.codecs.transform.networks.embedded import coded_size, padded_to_blocks, quality_of
from vitiq.codecs.transform.networks.transform_codec import TransformCodec, error_weight


def random_prior(seed: int = 0) -> Hyperprior:
    """A prior whose every part takes part, on the scale that training gives it."""
    torch.manual_seed(seed)
    prior = Hyperprior(context=True).eval().requires_grad_(False)
    for name, value in prior.named_parameters():
        if value.abs().max() == 0 or name.endswith("out.weight"):
            value.copy_(torch.randn_like(value) * 0.05)
    return prior


def test_basis_is_orthonormal_and_scipys() -> None:
    blocks = basis()
    flat = blocks.reshape(CHANNELS, -1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(CHANNELS), atol=1e-5, rtol=0)
    image = np.random.default_rng(0).normal(size=(3, 16, 16))
    planes = np.einsum("pc,cij->pij", colour_matrix().numpy(), image)
    wanted = np.stack([dctn(plane, norm="ortho") for plane in planes])
    found = np.einsum("kcij,cij->k", blocks.numpy(), image)
    np.testing.assert_allclose(found, [wanted[p, v, u] for p, v, u in coefficient_order().tolist()], atol=1e-5)


def test_means_of_blocks_come_first() -> None:
    assert coefficient_order()[:3].tolist() == [[0, 0, 0], [1, 0, 0], [2, 0, 0]]


def test_untrained_synthesis_inverts_untrained_analysis_on_smooth_images() -> None:
    torch.manual_seed(0)
    model = TransformCodec().eval()
    y, x = np.meshgrid(np.linspace(0, 1, 64), np.linspace(0, 1, 64))
    image = torch.tensor(np.stack([x, y, x * y])[None], dtype=torch.float32)
    with torch.no_grad():
        rebuilt = model.synthesis(model.analysis(image, quality_of(20)), quality_of(20))
    assert float((rebuilt - image).abs().max()) < 0.02


def test_gains_grow_and_lambdas_double_as_stated() -> None:
    model = TransformCodec()
    low, high = (model.gains(quality_of(level)) for level in (0, LEVELS - 1))
    assert bool((high > 5 * low).all())
    assert error_weight(torch.tensor([0.0, 1.0])).tolist() == pytest.approx([2.5e-4, 1.5e-2])


@pytest.mark.parametrize("group", range(len(GROUPS)))
def test_every_position_is_coded_in_one_pass(group: int) -> None:
    when = phase(5, 7, group)
    assert set(when.flatten().tolist()) == set(passes(group))


@pytest.mark.parametrize("size", [(6, 9), (4, 1), (1, 1)])
@pytest.mark.parametrize("level", [0, 40])
def test_the_integer_twin_predicts_what_the_float_prior_does(size: tuple[int, int], level: int) -> None:
    prior, rng = random_prior(), np.random.default_rng(1)
    height, width = size
    symbols = np.rint(rng.laplace(0, 3, (CHANNELS, height, width))).astype(np.int64)
    grid = (-(-height // 4), -(-width // 4))
    hyper = rng.integers(-9, 10, (HYPER_CHANNELS, *grid))
    hyper_means = np.full((HYPER_CHANNELS, grid[0] * grid[1]), np.nan)
    hyper_scales = np.full((HYPER_CHANNELS, grid[0] * grid[1]), -1)
    means = np.full((CHANNELS, height * width), np.nan)
    scales = np.full((CHANNELS, height * width), -1)

    def code(group: SymbolGroup) -> np.ndarray:
        if group.layer == HYPER:
            assert group.sent is None
            assert (group.scale > SKIP_SCALE).all()
            hyper_means[group.channels, group.positions] = (group.mean + group.offset / OFFSETS).T
            hyper_scales[group.channels, group.positions] = group.scale.T
            return np.asarray(hyper.reshape(HYPER_CHANNELS, -1).T[group.positions])
        means[group.channels, group.positions] = (group.mean + group.offset / OFFSETS).T
        scales[group.channels, group.positions] = group.scale.T
        return np.asarray(symbols.reshape(CHANNELS, -1).T[group.positions, group.channels])

    twin = IntegerHyperprior(export_hyperprior(prior))
    found_hyper, found = HyperpriorModel(twin, level, height, width).walk(code)
    assert np.array_equal(found_hyper, hyper)
    assert np.array_equal(found, symbols)

    wanted = predictions(prior, symbols, hyper, level)
    assert np.abs(means - wanted["mean"]).max() < 0.2
    ladder = np.rint((wanted["log_scale"] - LOG_SCALE_MIN) / (LOG_SCALE_MAX - LOG_SCALE_MIN) * (SCALES - 1))
    assert np.abs(scales - ladder).max() <= 1
    assert np.abs(hyper_means - wanted["hyper_mean"]).max() < 0.2
    ladder = np.rint((wanted["hyper_log_scale"] - LOG_SCALE_MIN) / (LOG_SCALE_MAX - LOG_SCALE_MIN) * (SCALES - 1))
    assert np.abs(hyper_scales - ladder.clip(SKIP_SCALE + 1)).max() <= 1


def predictions(prior: Hyperprior, symbols: np.ndarray, hyper: np.ndarray, level: int) -> Mapping[str, np.ndarray]:
    """Means and log-scales as `Hyperprior.bits` finds them, C×(h·w)."""
    found: dict[str, list[torch.Tensor]] = {"mean": [], "log_scale": []}

    def spy(noisy: torch.Tensor, mean: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
        found["mean"].append(mean[0].flatten(1))
        found["log_scale"].append(log_scale[0].flatten(1))
        return torch.zeros_like(noisy)

    values = torch.from_numpy(symbols).float()[None]
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr("vitiq.codecs.transform.hyperprior.logistic_bits", spy)
        floats = torch.from_numpy(hyper).float()[None]
        prior.bits(values, values, floats, quality_of(level))
        latents = {name: torch.cat(parts).numpy() for name, parts in found.items()}
        found = {"mean": [], "log_scale": []}
        prior.hyper_bits(floats, quality_of(level))
    return latents | {f"hyper_{name}": torch.cat(parts).numpy() for name, parts in found.items()}


def test_exported_weights_stand_for_the_float_ones() -> None:
    prior = random_prior()
    floats = float_tensors(export_hyperprior(prior))
    for name, value in prior.state_dict().items():
        if not name.startswith("analysis."):
            np.testing.assert_allclose(floats[name], value.numpy(), atol=2**-10)


def test_hyper_latents_are_predicted_from_those_coded_before_alone() -> None:
    """What is coded in a later pass, or in the same one, changes no prediction."""
    context = random_prior().context
    assert context is not None
    when = torch.from_numpy(pass_of(np.arange(9), np.arange(7)))
    hyper, mean, quality = torch.randn(1, HYPER_CHANNELS, 9, 7), torch.zeros(1, HYPER_CHANNELS), quality_of(20)
    assert set(when.flatten().tolist()) == set(range(PASSES))
    before = context(hyper, mean, quality)
    for number in range(PASSES):
        changed = torch.where(when >= number, torch.randn_like(hyper), hyper)
        after = context(changed, mean, quality)
        for one, other in zip(before, after, strict=True):
            torch.testing.assert_close(other[:, :, when <= number], one[:, :, when <= number])


def test_weights_that_could_leave_exact_sums_are_refused() -> None:
    tensors = export_hyperprior(random_prior())
    tensors["groups.0.hidden.weight"] = np.full_like(tensors["groups.0.hidden.weight"], 2**30, dtype=np.int64)
    with pytest.raises(ValueError, match="too large for exact sums"):
        IntegerHyperprior(tensors)
    tensors = export_hyperprior(random_prior())
    tensors["context.passes.4.hidden.weight"] = np.full((96, 96), 2**30, dtype=np.int64)
    with pytest.raises(ValueError, match="too large for exact sums"):
        IntegerHyperprior(tensors)


@pytest.mark.parametrize(("size", "coded"), [((17, 32), (64, 64)), ((65, 200), (80, 208)), ((64, 1), (64, 64))])
def test_images_are_extended_to_whole_blocks(size: tuple[int, int], coded: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size)
    padded = padded_to_blocks(image)
    assert coded_size(*size) == coded
    assert padded.shape == (1, 3, *coded)
    assert torch.equal(padded[:, :, : size[0], : size[1]], image)
    assert torch.equal(padded[:, :, -1, : size[1]], image[:, :, -1])
    assert torch.equal(padded[:, :, : size[0], -1], image[:, :, :, -1])
