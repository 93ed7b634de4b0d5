"""TransGAN's networks and its place among the generators.

Truth: the official code, VITA-Group/TransGAN at 6b85440, run on the CPU: names and shapes of `state_dict()` of its
published configurations (exps/cifar_train.py, stl_train.py, celeba_hq_256_train.py, church_256_train.py) without
`relative_position_index`, as sha256 of sorted lines; outputs of small networks whose parameters are 0.1·sin(0.37 i +
length of the name), plus 1 for weights of layer normalisation, and 0 for strengths of noise.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vitiq.bitstream import container as viq
from vitiq.codecs.inversion.generators import load_generator
from vitiq.codecs.inversion.vector import InversionVector
from vitiq.errors import BitstreamError, InputError, WeightsError
from vitiq.image.geometry import resize
from vitiq.image.io import read_image
from vitiq.models.principal_latents import PrincipalLatents
from vitiq.models.transgan import GeneratorShape, Stage, TransGenerator, shape_of, whole, windows
from vitiq.training.diff_augment import augment, coloured, cut, shifted
from vitiq.training.recipes.transgan import TransGanConfig, gradient_penalty
from vitiq.training.transgan_discriminator import TransDiscriminator
from vitiq.types import Quality
from vitiq.weights.store import model_info

IMAGES = Path(__file__).parents[2] / "examples" / "images"


def grids(bottom: int, widths: tuple[int, ...], depths: tuple[int, ...], window: int = 10**6) -> tuple[Stage, ...]:
    """Stages with windows of `window` from 64 tokens a side on."""
    sides = [bottom * 2**i for i in range(len(widths))]
    return tuple(Stage(w, d, s, s if s < 64 else min(s, window)) for w, d, s in zip(widths, depths, sides, strict=True))


WIDE = (1024, 1024, 1024, 256, 64, 16)
THIN = (256, 256, 256, 64, 16, 4)
PUBLISHED = {
    "cifar": GeneratorShape(256, grids(8, (1024, 256, 64), (5, 4, 2))),
    "stl": GeneratorShape(512, grids(12, (1024, 256, 64), (7, 5, 3)), norm="pn"),
    "celeba": GeneratorShape(512, grids(8, WIDE, (0, 4, 4, 4, 4, 4), 16), 4, "pn", True, True, True, True),
    "church": GeneratorShape(512, grids(8, WIDE, (5, 4, 4, 4, 4, 4), 16), 4, "pn", True, True),
}
KEYS = {
    "cifar": (139, "9e99d04ffda73886578ea2501dc52006d004ef6959daefe276a569216c5dd5a0"),
    "stl": (127, "d0bd999ce6f453613b44a5ec764acd41441255887a183f76f3107fe5465ec8cb"),
    "celeba": (313, "7b593dc0ac2ee505c9ea0e632e780cbbafd3762967e1314ba1d9dd0e18f665b7"),
    "church": (235, "d457600af745eb1038eae31da769d39d98c2560c9e5d8ef30c069bf353795f40"),
}
SMALL = {
    "cifar": GeneratorShape(8, grids(8, (64, 16, 4), (1, 1, 1))),
    "stl": GeneratorShape(8, grids(4, (64, 16, 4), (1, 1, 1)), norm="pn"),
    "celeba": GeneratorShape(4, grids(8, THIN, (0, 1, 1, 1, 1, 1), 16), 4, "pn", True, True, True, True),
    "church": GeneratorShape(4, grids(8, THIN, (1, 1, 1, 1, 1, 1), 16), 4, "pn", True, True),
}
OUTPUTS = {
    "cifar": (-0.04514153674, 0.08415747433, 0.05093184858, -0.00372158735),
    "stl": (-0.04224585741, 0.00298278033, 0.00418892130, 0.03676980733),
    "celeba": (-0.38542887568, 0.01187799964, 0.53854739666, 0.19745752215),
    "church": (-1.90658867359, 0.71600586175, 1.12290525436, 0.31814247369),
}
"""Pixels (channel, row, column) (0, 0, 0), (1, 3, 5), (2, r - 1, r - 2), (0, r / 2, 1) at z = -1 … 1."""


def digest(state: Mapping[str, Tensor]) -> tuple[int, str]:
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in state.items())
    return len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()


@torch.no_grad()
def fill(network: nn.Module) -> None:
    for name, value in network.named_parameters():
        numbers = 0.1 * torch.sin(torch.arange(value.numel(), dtype=torch.float64) * 0.37 + len(name))
        value.copy_(numbers.float().view(value.shape) + (name.endswith("norm.weight") and value.ndim == 1))
        if "noise_strength" in name:
            value.zero_()


@pytest.mark.parametrize("name", list(KEYS))
def test_tensors_are_those_of_the_published_configurations(name: str) -> None:
    with torch.device("meta"):
        state = TransGenerator(PUBLISHED[name]).state_dict()
    assert digest(state) == KEYS[name]
    assert shape_of(state) == PUBLISHED[name]


def test_the_discriminators_tensors_are_those_of_the_published_one() -> None:
    with torch.device("meta"):
        state = TransDiscriminator(32, 2, 384, 3).state_dict()
    assert digest(state) == (101, "4cf53b940c1248db0cffe30dd177aec8eb75ed951008d00e53b72482830c9646")


@pytest.mark.parametrize("name", list(SMALL))
def test_outputs_are_the_official_ones(name: str) -> None:
    network = TransGenerator(SMALL[name]).eval()
    fill(network)
    with torch.no_grad():
        image = network(torch.linspace(-1, 1, SMALL[name].latent)[None])[0]
    r = image.shape[-1]
    found = [float(image[at]) for at in ((0, 0, 0), (1, 3, 5), (2, r - 1, r - 2), (0, r // 2, 1))]
    assert found == pytest.approx(OUTPUTS[name], abs=5e-6)


def test_the_discriminators_verdict_is_the_official_one() -> None:
    network = TransDiscriminator(32, 2, 64, 2).eval()
    fill(network)
    with torch.no_grad():
        verdict = network(torch.linspace(-1, 1, 3 * 32 * 32).view(1, 3, 32, 32))
    assert float(verdict) == pytest.approx(-0.9343752, abs=1e-5)


def test_windows_are_squares_of_the_grid_and_come_back() -> None:
    x = torch.arange(2 * 64 * 3.0).view(2, 64, 3)
    parts = windows(x, 4)
    assert parts.shape == (8, 16, 3)
    assert torch.equal(parts[1].view(4, 4, 3), x.view(2, 8, 8, 3)[0, :4, 4:])
    assert torch.equal(whole(parts, 8), x)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network as the official code saves one."""
    torch.manual_seed(0)
    network = TransGenerator(SMALL["stl"])
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    state["module.blocks.block.0.attn.relative_position_index"] = torch.zeros(16, 16, dtype=torch.int64)
    path = tmp_path_factory.mktemp("transgan") / "checkpoint"
    torch.save({"epoch": 3, "gen_state_dict": {}, "avg_gen_state_dict": state}, path)
    return path


def test_inversion_vector_takes_an_official_checkpoint(checkpoint: Path) -> None:
    generator = load_generator(f"transgan:{checkpoint}")
    assert (generator.resolution, generator.layers[0].size) == (16, 8)
    assert generator.encode(torch.zeros(1, 3, 16, 16)) is None
    codec = InversionVector(generator=f"transgan:{checkpoint}", iterations=3)
    image = np.full((20, 24, 3), 100, np.uint8)
    data = codec.encode(image, Quality(4))
    assert codec.decode(data).shape == image.shape
    assert len(data) < 120
    with pytest.raises(InputError, match="2 latent layers given, TransGAN has 1"):
        generator.generate([torch.zeros(1, 8, 1, 1)] * 2)


def test_an_official_checkpoint_is_known_by_its_path_and_found_again_by_its_hash(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_generator(str(checkpoint)).name == "transgan"
    image = np.full((20, 24, 3), 100, np.uint8)
    data = InversionVector(generator=str(checkpoint), iterations=3).encode(image, Quality(4))
    monkeypatch.setenv("VITIQ_WEIGHTS_PATH", str(checkpoint.parent))
    # A reader that does not know which generator it was.
    assert InversionVector().decode(data).shape == image.shape


def test_what_is_said_of_a_file_is_of_the_generator_that_made_it(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = InversionVector(generator=str(checkpoint), iterations=1).encode(np.full((20, 24, 3), 9, np.uint8))
    assert InversionVector().inspect(data).notes == (), "the generator is not here"
    monkeypatch.setenv("VITIQ_WEIGHTS_PATH", str(checkpoint.parent))
    assert InversionVector().inspect(data).notes == ("reconstructed at 16×16 and resized to 24×20",)


@pytest.mark.parametrize("coder", ["range", "qsgd"])
def test_the_checksum_of_a_vector_is_of_little_endian_numbers(checkpoint: Path, coder: str) -> None:
    codec = InversionVector(generator=str(checkpoint), iterations=1, coder=coder)
    data = codec.encode(np.full((20, 24, 3), 9, np.uint8), Quality(8))
    (symbols,) = codec.inspect(data, symbols=True).symbols or ()
    numbers = [int(symbol) for symbol in symbols.ravel()]
    assert any(numbers)
    assert viq.unpack(data).symbols_crc == zlib.crc32(struct.pack(f"<{len(numbers)}h", *numbers))


def test_a_vector_in_both_codes_is_damage(checkpoint: Path) -> None:
    codec = InversionVector(generator=str(checkpoint), iterations=1)
    file = viq.unpack(codec.encode(np.full((20, 24, 3), 9, np.uint8)))
    both = viq.pack(replace(file, sections=(*file.sections, viq.Section(3, b"x"))))
    for read in (codec.decode, codec.inspect):
        with pytest.raises(BitstreamError, match="sections 2 and 3 given, one of them expected"):
            read(both)


def test_the_name_alone_is_the_generator_that_ships() -> None:
    generator = load_generator("transgan")
    info = model_info("transgan-embedded")
    assert (generator.weights_sha256, generator.weights_bytes) == (info.sha256, info.bytes)
    assert generator.weights_bytes < 6e6


def test_the_generator_that_ships_rebuilds_better_than_a_flat_image() -> None:
    image = resize(read_image(IMAGES / "animal.png"), 64, 64)
    codec = InversionVector(generator="transgan", iterations=3, start="encoder")
    data = codec.encode(image, Quality(8))
    assert len(data) < 250
    # Another reader than the one that wrote it finds the weights by the hash in the file.
    rebuilt = InversionVector().decode(data)
    assert rebuilt.shape == image.shape
    error = np.square(image.astype(float) - rebuilt).mean()
    assert error < np.square(image - image.mean(axis=(0, 1))).mean() / 2


def test_a_checkpoint_of_another_layout_is_one_line(tmp_path: Path, checkpoint: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save({"formatLayer.weight": torch.zeros(2, 2)}, other)
    with pytest.raises(WeightsError, match="holds no TransGAN generator; expected the official"):
        load_generator(f"transgan:{other}")
    state = torch.load(checkpoint, weights_only=True)["avg_gen_state_dict"]
    state["module.l1.weight"] = state["module.l1.weight"][:-1]
    torch.save({"avg_gen_state_dict": state}, other)
    with pytest.raises(WeightsError, match="do not form a TransGAN generator") as caught:
        load_generator(f"transgan:{other}")
    assert "\n" not in str(caught.value)


def test_augmentation_keeps_shape_and_gives_gradients() -> None:
    images = torch.rand(3, 3, 16, 16, requires_grad=True)
    for change in (augment, coloured, shifted, cut):
        torch.manual_seed(1)
        assert change(images).shape == images.shape
    torch.autograd.backward(augment(images).sum())
    assert images.grad is not None


def test_the_penalty_of_a_network_without_slope_is_one() -> None:
    network = TransDiscriminator(8, 2, 16, 1, heads=2, noise=False)
    with torch.no_grad():
        network.head.weight.zero_()
    images = torch.rand(2, 3, 8, 8)
    assert float(gradient_penalty(network, images, -images).detach()) == pytest.approx(1.0)


def test_principal_latents_are_whitened_scores_of_a_singular_value_decomposition() -> None:
    images = torch.rand(60, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    principal = PrincipalLatents(32, 5)
    principal.fit(torch.split(images, 25))
    averaged = images.reshape(60, 3, 16, 2, 16, 2).mean(dim=(3, 5)).flatten(1).double().numpy()
    left, _, _ = np.linalg.svd(averaged - averaged.mean(axis=0), full_matrices=False)
    found = principal(images).numpy()[:, ::-1]
    np.testing.assert_allclose(np.abs(found), np.abs(left[:, :5]) * 59**0.5, atol=2e-4)
    np.testing.assert_allclose(np.cov(found.T), np.eye(5), atol=1e-4)


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("label_smoothing = 0.0", "label_smoothing = 1.5", "label_smoothing"),
        ("dropout = 0.0", "dropout = -0.1", "dropout"),
        ('loss = "hinge"', 'loss = "lsgan"', "loss"),
        ('loss = "hinge"\n', 'loss = "wgangp-eps"\n', "WGAN has no labels"),
        ("width = 12\n", "width = 64\n", "a quarter"),
        ("heads = 2", "heads = 5", "heads"),
        ("latent = 128", "latent = 769", "at most 768 numbers of an image of 64 pixels"),
        ("reconstruction = 20.0", "reconstruction = -1.0", "reconstruction"),
    ],
)
def test_settings_are_checked(old: str, new: str, names: str, tmp_path: Path) -> None:
    import vitiq.training.config as config

    text = (Path(config.__file__).parent / "configs" / "transgan.toml").read_text()
    text = text.replace("label_smoothing = 0.0", "label_smoothing = 0.1") if "WGAN" in names else text
    path = tmp_path / "t.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=names):
        TransGanConfig.load(path)
