"""CompressAI's models as codecs.

Truth: a stand-in with CompressAI's documented interface, whose strings are counted here (its package is not installed
with vitiq); where `compressai` is installed its own zoo is run too.
"""

from __future__ import annotations

import sys
import types
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vitiq.codecs.detect import codec_of
from vitiq.codecs.spec import make_codec, parse_codec
from vitiq.codecs.zoo.compressai import CompressAiCodec
from vitiq.errors import BitstreamError, InputError, MissingDependencyError, WeightsError
from vitiq.evaluation.plan import series_of
from vitiq.types import Bytes, ImageU8, Quality


class StandIn(torch.nn.Module):
    """Two strings: the mean colour, and every 16th pixel."""

    def __init__(self, quality: int = 1) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(255.0))
        self.updated = False

    def update(self) -> None:
        self.updated = True

    def compress(self, x: torch.Tensor) -> dict[str, Any]:
        assert self.updated
        assert (torch.get_num_threads(), torch.get_default_dtype()) == (1, torch.float32)
        assert x.shape[2] % 64 == x.shape[3] % 64 == 0
        y = (x[:, :, ::16, ::16] * self.scale).round().to(torch.uint8)
        return {"strings": [[b"abc"], [y.numpy().tobytes()]], "shape": torch.Size(y.shape[-2:])}

    def decompress(self, strings: list[list[bytes]], shape: tuple[int, int]) -> dict[str, torch.Tensor]:
        assert strings[0] == [b"abc"]
        assert (torch.get_num_threads(), torch.get_default_dtype()) == (1, torch.float32)
        y = torch.from_numpy(np.frombuffer(strings[1][0], np.uint8).reshape(1, 3, *shape).copy()) / self.scale
        return {"x_hat": y.repeat_interleave(16, 2).repeat_interleave(16, 3)}


class Wider(StandIn):
    """As the zoo's: more channels from a quality on."""

    def __init__(self, quality: int) -> None:
        super().__init__(quality)
        self.g_a = torch.nn.Linear(1, 2 if quality < 5 else 3)


@pytest.fixture
def zoo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A package `compressai` with one model, and a folder with weights of two qualities."""
    package, module = types.ModuleType("compressai"), types.ModuleType("compressai.zoo")
    module.image_models = {  # type: ignore[attr-defined]
        "stand-in": lambda quality, metric, pretrained: StandIn(quality),
        "bmshj2018-factorized": lambda quality, metric, pretrained: torch.nn.Linear(2, 2),
        "wider": lambda quality, metric, pretrained: Wider(quality),
    }
    monkeypatch.setitem(sys.modules, "compressai", package)
    monkeypatch.setitem(sys.modules, "compressai.zoo", module)
    for quality in (1, 2):
        model = StandIn()
        model.scale.data.fill_(250.0 + quality)
        torch.save({"state_dict": model.state_dict()}, tmp_path / f"{quality}.pth")
    return tmp_path


def test_files_hold_the_models_strings(zoo: Path, small: ImageU8) -> None:
    codec = make_codec("compressai:stand-in", {"weights": str(zoo / "{q}.pth")})
    data = codec.encode(small, Quality(2))
    assert codec_of(data) == "compressai"
    info = codec.inspect(data)
    assert (info.quality, info.width, info.height) == (2, 96, 80)
    assert info.sections["latents"] == 3 + 3 * 8 * 8
    assert sum(info.sections.values()) == len(data) < 3 + 3 * 8 * 8 + 75
    rebuilt = codec.decode(data)
    assert rebuilt.shape == small.shape
    assert np.abs(rebuilt[::16, ::16].astype(int) - small[::16, ::16]).max() <= 1
    weights = codec.identity()["weights"]
    assert isinstance(weights, dict)
    assert set(weights) == {"1", "2"}


def test_other_weights_missing_ones_and_damage_are_reported(zoo: Path, small: ImageU8) -> None:
    codec = make_codec("compressai:stand-in", {"weights": str(zoo / "1.pth")})
    data = codec.encode(small, Quality(1))
    with pytest.raises(WeightsError, match="those found"):
        make_codec("compressai:stand-in", {"weights": str(zoo / "2.pth")}).decode(data)
    with pytest.raises(WeightsError, match=r"no release shipped them: .* or give its path: weights=PATH"):
        make_codec("compressai:stand-in").decode(data)
    with pytest.raises(WeightsError, match="none given"):
        make_codec("compressai:stand-in").encode(small)
    with pytest.raises(WeightsError, match=r"3\.pth given"):
        make_codec("compressai:stand-in", {"weights": str(zoo / "3.pth")}).encode(small)
    (zoo / "bad.pth").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"bad\.pth: not a readable checkpoint"):
        make_codec("compressai:stand-in", {"weights": str(zoo / "bad.pth")}).encode(small)
    with pytest.raises(InputError, match="it has bmshj2018-factorized, stand-in"):
        make_codec("compressai:other", {"weights": str(zoo / "1.pth")}).encode(small)
    assert isinstance(codec, CompressAiCodec)
    sha256 = codec.inspect(data).weights or ""
    for parts in ([(1, b"1 5 5"), (2, b"abc"), (2, b"x")], [(1, b"1 99999 5"), (2, b"")], [(1, b"one"), (2, b"")]):
        with pytest.raises(BitstreamError):
            codec.decode(codec.pack_list(96, 80, parts, sha256))


@pytest.mark.parametrize("key", [None, "state_dict", "network"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_checkpoints_are_read_as_compressais_scripts_save_them(
    zoo: Path, small: ImageU8, key: str | None, prefix: str
) -> None:
    state = {prefix + name: tensor for name, tensor in StandIn().state_dict().items()}
    torch.save({key: state, "epoch": 3} if key else state, zoo / "saved.pth")
    codec = make_codec("compressai:stand-in", {"weights": str(zoo / "saved.pth")})
    assert codec.decode(codec.encode(small, Quality(1))).shape == small.shape


def test_coding_is_the_same_at_any_number_of_threads_and_default_dtype(zoo: Path, small: ImageU8) -> None:
    codec = make_codec("compressai:stand-in", {"weights": str(zoo / "1.pth")})
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.set_default_dtype(torch.float64)
    try:
        codec.decode(codec.encode(small, Quality(1)))  # the stand-in asserts what it is run with
        assert (torch.get_num_threads(), torch.get_default_dtype()) == (2, torch.float64)
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(torch.float32)


def test_a_file_names_its_model(zoo: Path, small: ImageU8, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = make_codec("compressai:stand-in", {"weights": str(zoo / "1.pth")})
    data = codec.encode(small, Quality(1))
    assert codec.inspect(data).details["model"] == "stand-in"
    expected = codec.decode(data)
    monkeypatch.setenv("VITIQ_WEIGHTS_PATH", str(zoo))
    assert np.array_equal(make_codec("compressai").decode(data), expected), "without a word about the model"
    assert np.array_equal(make_codec("compressai", {"weights": str(zoo / "1.pth")}).decode(data), expected)
    assert isinstance(codec, CompressAiCodec)
    sha256 = codec.inspect(data).weights or ""
    strings = [(2, b"abc"), (2, bytes(3 * 8 * 8))]
    codec.decode(codec.pack_list(96, 80, [(1, b"1 8 8"), *strings], sha256))  # as 0.2.0 writes
    for head in (b"1 8 8 lost mse", b"1 8 8 stand-in", b"1 8 8 a b c", b"1 8 8 \xff mse"):
        with pytest.raises(BitstreamError):
            codec.decode(codec.pack_list(96, 80, [(1, head), *strings], sha256))
    for name in ("compressai", "compressai.zoo"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match="pip install compressai"):
        make_codec("compressai").decode(data)


class OwnModel(CompressAiCodec):
    """A model that the zoo does not have."""

    name = "own-model"

    def build(self, quality: int) -> Any:
        return StandIn(quality)


def test_a_file_of_ones_own_model_names_none_of_the_zoo(zoo: Path, small: ImageU8) -> None:
    codec = OwnModel(weights=str(zoo / "1.pth"))
    data = codec.encode(small, Quality(1))
    assert "model" not in codec.inspect(data).details
    assert codec.decode(data).shape == small.shape
    torch.save({"other": torch.zeros(1)}, zoo / "other.pth")
    with pytest.raises(WeightsError, match="not the state dict of own-model"):
        OwnModel(weights=str(zoo / "other.pth")).encode(small, Quality(1))


def test_one_state_dict_is_one_rate(zoo: Path, small: ImageU8) -> None:
    torch.save(Wider(8).state_dict(), zoo / "wide.pth")
    codec = make_codec("compressai:wider", {"weights": str(zoo / "wide.pth")})
    data = codec.encode(small, Bytes(5000))
    assert len(data) < 5000, "whichever qualities the search tries"
    codec.decode(codec.encode(small))
    with pytest.raises(WeightsError, match=r"one state dict is one rate.*\{q\} for the quality"):
        series_of(parse_codec(f'compressai:wider[weights="{zoo}/wide.pth"]@1:8'))


def test_weights_of_another_model_are_recognised_by_their_tensors(zoo: Path, small: ImageU8) -> None:
    torch.save({"other": torch.zeros(1)}, zoo / "other.pth")
    with pytest.raises(WeightsError, match=r"Missing key\(s\) in state_dict: .*scale"):
        make_codec("compressai:stand-in", {"weights": str(zoo / "other.pth")}).encode(small)


def test_weights_are_found_by_their_hash(zoo: Path, small: ImageU8, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = make_codec("compressai:stand-in", {"weights": str(zoo / "2.pth")})
    data = codec.encode(small, Quality(1))
    expected = codec.decode(data)
    monkeypatch.setenv("VITIQ_WEIGHTS_PATH", str(zoo.parent))
    assert np.array_equal(make_codec("compressai:stand-in").decode(data), expected)
    (zoo / "2.pth").rename(zoo / "checkpoint.pth.tar")
    assert np.array_equal(make_codec("compressai:stand-in").decode(data), expected)
    monkeypatch.delenv("VITIQ_WEIGHTS_PATH")
    monkeypatch.setenv("VITIQ_CACHE", str(zoo))
    assert np.array_equal(make_codec("compressai:stand-in").decode(data), expected), "as fetched weights are found"


def test_a_study_is_refused_before_it_encodes(zoo: Path) -> None:
    series_of(parse_codec(f'compressai:stand-in[weights="{zoo}/{{q}}.pth"]@1,2'))
    for text, said in (
        ("compressai:stand-in@3", "needs a state dict, none given"),
        (f'compressai:stand-in[weights="{zoo}/{{q}}.pth"]@1,3', "3.pth given"),
        (f'compressai:stand-in[weights="{zoo}/lost.pth"]@bpp=0.5', "lost.pth given"),
    ):
        with pytest.raises(WeightsError, match=said):
            series_of(parse_codec(text))
    with pytest.raises(InputError, match="no model 'other'"):
        series_of(parse_codec(f'compressai:other[weights="{zoo}/1.pth"]@1'))


@pytest.mark.skipif(find_spec("compressai") is not None, reason="compressai is installed")
def test_without_the_package_it_says_what_to_install(small: ImageU8, tmp_path: Path) -> None:
    torch.save({}, tmp_path / "w.pth")
    with pytest.raises(MissingDependencyError, match="pip install compressai"):
        make_codec("compressai", {"weights": str(tmp_path / "w.pth")}).encode(small)


@pytest.mark.skipif(find_spec("compressai") is None, reason="compressai is not installed")
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # its own: torch.jit.script
@pytest.mark.parametrize("model", ["bmshj2018-factorized", "mbt2018-mean", "cheng2020-anchor"])
def test_the_real_zoo(model: str, small: ImageU8, tmp_path: Path) -> None:
    from compressai.zoo import image_models

    torch.manual_seed(0)
    network = image_models[model](quality=1, metric="mse", pretrained=False)
    network.update()
    torch.save(network.state_dict(), tmp_path / "w.pth")
    codec = make_codec(f"compressai:{model}", {"weights": str(tmp_path / "w.pth")})
    image = small[:37, :65]
    data = codec.encode(image, Quality(1))
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)[None] / 255
    x = torch.nn.functional.pad(tensor, (0, 63, 0, 27), "replicate")
    with torch.no_grad():
        coded = network.eval().compress(x)
        expected = network.decompress(coded["strings"], coded["shape"])["x_hat"][0, :, :37, :65].permute(1, 2, 0)
    assert sum(len(part[0]) for part in coded["strings"]) == codec.inspect(data).sections["latents"]
    levels = (expected.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    assert np.array_equal(codec.decode(data), levels)


@pytest.mark.skipif(find_spec("compressai") is None, reason="compressai is not installed")
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_the_example_package_around_a_real_model(
    small: ImageU8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from compressai.models import FactorizedPrior

    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples" / "plugins" / "vitiq-compressai")
    module = import_module("vitiq_compressai")
    monkeypatch.setattr(module, "MyModel", lambda: FactorizedPrior(16, 24))
    torch.manual_seed(0)
    network = FactorizedPrior(16, 24)
    network.update()
    torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "w.pth")
    codec = module.MyCodec(weights=str(tmp_path / "w.pth"))
    data = codec.encode(small[:37, :65])
    assert codec.inspect(data).sections["latents"] < len(data) < codec.inspect(data).sections["latents"] + 60
    assert codec.decode(data).shape == (37, 65, 3)
