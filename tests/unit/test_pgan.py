"""The Progressive GAN generator.

Truth: names and shapes written out from GNet of facebookresearch/pytorch_GAN_zoo at b75dee4
(models/networks/progressive_conv_net.py, custom_layers.py) with the depths of its celebAHQ-512 configuration
(models/trainer/standard_configurations/pgan_config.py), and a second, literal reading of its forward pass below:
bias and weight of a layer are both scaled after the convolution.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vitiq.codecs.inversion.generators import load_generator
from vitiq.codecs.inversion.generators.pgan import ProgressiveGenerator
from vitiq.errors import InputError, WeightsError

CELEBA_HQ_512 = {
    "formatLayer.module.weight": (8192, 512),
    "formatLayer.module.bias": (8192,),
    "groupScale0.0.module.weight": (512, 512, 3, 3),
    "groupScale0.0.module.bias": (512,),
    "toRGBLayers.0.module.weight": (3, 512, 1, 1),
    "toRGBLayers.0.module.bias": (3,),
    "toRGBLayers.1.module.weight": (3, 512, 1, 1),
    "toRGBLayers.1.module.bias": (3,),
    "toRGBLayers.2.module.weight": (3, 512, 1, 1),
    "toRGBLayers.2.module.bias": (3,),
    "toRGBLayers.3.module.weight": (3, 512, 1, 1),
    "toRGBLayers.3.module.bias": (3,),
    "toRGBLayers.4.module.weight": (3, 256, 1, 1),
    "toRGBLayers.4.module.bias": (3,),
    "toRGBLayers.5.module.weight": (3, 128, 1, 1),
    "toRGBLayers.5.module.bias": (3,),
    "toRGBLayers.6.module.weight": (3, 64, 1, 1),
    "toRGBLayers.6.module.bias": (3,),
    "toRGBLayers.7.module.weight": (3, 32, 1, 1),
    "toRGBLayers.7.module.bias": (3,),
    "scaleLayers.0.0.module.weight": (512, 512, 3, 3),
    "scaleLayers.0.0.module.bias": (512,),
    "scaleLayers.0.1.module.weight": (512, 512, 3, 3),
    "scaleLayers.0.1.module.bias": (512,),
    "scaleLayers.1.0.module.weight": (512, 512, 3, 3),
    "scaleLayers.1.0.module.bias": (512,),
    "scaleLayers.1.1.module.weight": (512, 512, 3, 3),
    "scaleLayers.1.1.module.bias": (512,),
    "scaleLayers.2.0.module.weight": (512, 512, 3, 3),
    "scaleLayers.2.0.module.bias": (512,),
    "scaleLayers.2.1.module.weight": (512, 512, 3, 3),
    "scaleLayers.2.1.module.bias": (512,),
    "scaleLayers.3.0.module.weight": (256, 512, 3, 3),
    "scaleLayers.3.0.module.bias": (256,),
    "scaleLayers.3.1.module.weight": (256, 256, 3, 3),
    "scaleLayers.3.1.module.bias": (256,),
    "scaleLayers.4.0.module.weight": (128, 256, 3, 3),
    "scaleLayers.4.0.module.bias": (128,),
    "scaleLayers.4.1.module.weight": (128, 128, 3, 3),
    "scaleLayers.4.1.module.bias": (128,),
    "scaleLayers.5.0.module.weight": (64, 128, 3, 3),
    "scaleLayers.5.0.module.bias": (64,),
    "scaleLayers.5.1.module.weight": (64, 64, 3, 3),
    "scaleLayers.5.1.module.bias": (64,),
    "scaleLayers.6.0.module.weight": (32, 64, 3, 3),
    "scaleLayers.6.0.module.bias": (32,),
    "scaleLayers.6.1.module.weight": (32, 32, 3, 3),
    "scaleLayers.6.1.module.bias": (32,),
}

# The configuration is pickled as an object of upstream's class models.utils.config.BaseConfig.
CONFIG = {
    "alpha": 0,
    "depthScale0": 512,
    "equalizedlR": True,
    "leakyReluLeak": 0.2,
    "lossCriterion": "WGANGP",
    "perChannelNormalization": True,
    "attribKeysOrder": None,
}


class BaseConfig:
    pass


BaseConfig.__module__ = "models.utils.config"


class _Upstream:
    """A module tree under upstream's names, so that pickling finds the class where it says it is."""

    def __enter__(self) -> None:
        import sys
        import types

        module: Any = types.ModuleType("models.utils.config")
        module.BaseConfig = BaseConfig
        for name in ("models", "models.utils"):
            sys.modules[name] = types.ModuleType(name)
        sys.modules[module.__name__] = module

    def __exit__(self, *_: object) -> None:
        import sys

        for name in ("models", "models.utils", "models.utils.config"):
            del sys.modules[name]


def save(path: Path, state: dict[str, Tensor], *, zipped: bool = True, **config: object) -> Path:
    made = BaseConfig()
    vars(made).update(CONFIG | config)
    with _Upstream():
        checkpoint = {"config": made, "netG": {}, "netD": {}, "avgG": state}
        torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    return path


def small_state(depths: tuple[int, ...] = (8, 6, 4), latent: int = 5) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    shapes: dict[str, tuple[int, ...]] = {
        "formatLayer": (16 * depths[0], latent),
        "groupScale0.0": (depths[0], depths[0], 3, 3),
    }
    for index, depth in enumerate(depths):
        shapes[f"toRGBLayers.{index}"] = (3, depth, 1, 1)
        if index:
            shapes[f"scaleLayers.{index - 1}.0"] = (depth, depths[index - 1], 3, 3)
            shapes[f"scaleLayers.{index - 1}.1"] = (depth, depth, 3, 3)
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.module.weight"] = torch.randn(shape, generator=random)
        state[f"{name}.module.bias"] = torch.randn(shape[:1], generator=random)
    return state


def literal(state: dict[str, Tensor], z: Tensor, scales: int) -> Tensor:
    def layer(name: str, x: Tensor) -> Tensor:
        weight, bias = state[f"{name}.module.weight"], state[f"{name}.module.bias"]
        y = F.linear(x, weight, bias) if weight.ndim == 2 else F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)
        return y * math.sqrt(2.0 / weight[0].numel())

    def norm(x: Tensor) -> Tensor:
        return x * ((x**2).mean(dim=1, keepdim=True) + 1e-8).rsqrt()

    leaky = torch.nn.LeakyReLU(0.2)
    x = norm(leaky(layer("formatLayer", norm(z))).view(len(z), -1, 4, 4))
    x = norm(leaky(layer("groupScale0.0", x)))
    for index in range(scales - 1):
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        for part in range(2):
            x = norm(leaky(layer(f"scaleLayers.{index}.{part}", x)))
    return layer(f"toRGBLayers.{scales - 1}", x)


def test_layout_of_celebahq_512_loads(tmp_path: Path) -> None:
    # Expanded zeros share one number, which keeps the file small.
    state = {name: torch.zeros(1).expand(shape) for name, shape in CELEBA_HQ_512.items()}
    path = save(tmp_path / "celebaHQ16_december_s7_i96000-9c72988c.pth", state)
    generator = load_generator(str(path))
    assert isinstance(generator, ProgressiveGenerator)
    assert generator.resolution == 512
    assert [(layer.channels, layer.height, layer.width) for layer in generator.layers] == [(512, 1, 1)]
    assert generator.output_range == (-1.0, 1.0)
    assert len(generator.weights_sha256) == 64


@pytest.mark.parametrize("zipped", [True, False])
def test_images_equal_upstreams_arithmetic(tmp_path: Path, zipped: bool) -> None:
    state = small_state()
    generator = ProgressiveGenerator(save(tmp_path / "g.pth", state, zipped=zipped))
    z = torch.randn(2, 5, generator=torch.Generator().manual_seed(2))
    rebuilt = generator.generate([z[:, :, None, None]])
    assert rebuilt.shape == (2, 3, 16, 16)
    torch.testing.assert_close(rebuilt, literal(state, z, 3), rtol=1e-4, atol=1e-5)


def test_names_without_wrapper_load_too(tmp_path: Path) -> None:
    state = small_state()
    z = torch.ones(1, 5, 1, 1)
    new = ProgressiveGenerator(save(tmp_path / "new.pth", state)).generate([z])
    old = {name.replace("module.", ""): value for name, value in state.items()}
    assert torch.equal(new, ProgressiveGenerator(save(tmp_path / "old.pth", old)).generate([z]))


def test_gradient_reaches_the_latent_and_not_the_weights(tmp_path: Path) -> None:
    generator = ProgressiveGenerator(save(tmp_path / "g.pth", small_state()))
    z = torch.ones(1, 5, 1, 1, requires_grad=True)
    rebuilt = generator.generate([z])
    torch.autograd.backward(rebuilt.square().mean())
    assert z.grad is not None
    assert z.grad.abs().sum() > 0
    with pytest.raises(InputError, match="2 latent layers"):
        generator.generate([z, z])


def test_other_layouts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.pth"
    missing = small_state()
    del missing["scaleLayers.1.1.module.bias"]
    with pytest.raises(WeightsError, match=r"do not form .*scaleLayers\.1\.1"):
        ProgressiveGenerator(save(path, missing))
    wrong = small_state() | {"scaleLayers.1.1.module.weight": torch.zeros(4, 6, 3, 3)}
    with pytest.raises(WeightsError, match="do not form"):
        ProgressiveGenerator(save(path, wrong))
    grey = small_state()
    grey |= {"toRGBLayers.2.module.weight": torch.zeros(1, 4, 1, 1), "toRGBLayers.2.module.bias": torch.zeros(1)}
    with pytest.raises(WeightsError, match="RGB expected"):
        ProgressiveGenerator(save(path, grey))
    flat = small_state() | {"formatLayer.module.weight": torch.zeros(5)}
    with pytest.raises(WeightsError, match="do not form"):
        ProgressiveGenerator(save(path, flat))
    with pytest.raises(WeightsError, match="9 doublings"):
        ProgressiveGenerator(save(path, small_state(depths=(1,) * 10)))
    with pytest.raises(WeightsError, match=r"alpha 0\.5"):
        ProgressiveGenerator(save(path, small_state(), alpha=0.5))
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="no Progressive GAN"):
        ProgressiveGenerator(path)
    torch.save({"formatLayer.weight": 1}, path)
    with pytest.raises(WeightsError, match="no tensor"):
        ProgressiveGenerator(path)


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.pth"
    for data in (b"", b"hello", save(path, small_state()).read_bytes()[:300]):
        path.write_bytes(data)
        with pytest.raises(WeightsError, match="not a readable"):
            ProgressiveGenerator(path)
    with pytest.raises(WeightsError, match="no such file"):
        load_generator(str(tmp_path / "none.pth"))


@pytest.mark.parametrize("name", ["g.pth", "g.safetensors"])
def test_a_file_that_no_generator_knows_is_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for data in (b"", b"hello"):
        path.write_bytes(data)
        with pytest.raises(WeightsError, match=r"no generator knows this file; expected weights of embedded, .*pgan"):
            load_generator(str(path))


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("evil"),)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "g.pth"
    torch.save({"avgG": small_state(), "config": _Evil()}, path)
    with pytest.raises(WeightsError, match="not a readable"):
        ProgressiveGenerator(path)
    path.write_bytes(pickle.dumps(_Evil()))
    with pytest.raises(WeightsError, match="not a readable"):
        ProgressiveGenerator(path)
    assert not Path("evil").exists()
