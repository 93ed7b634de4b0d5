"""Where networks run: `--device` and `device=`.

Truth: torch's "meta" device stands for a GPU: it refuses to mix its tensors with the CPU's, so that a tensor made on
the CPU inside a network shows. On the CPU, files and keys are those from before there was a choice (golden files).
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import vitiq
from vitiq.cli.main import COMMANDS as COMMANDS_OF_ALL
from vitiq.cli.main import cli
from vitiq.codecs.filtered import load_filter
from vitiq.codecs.inversion.generators import load_generator
from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator
from vitiq.codecs.spec import make_codec, on_device, parse_codec
from vitiq.codecs.transform.decoder import Decoder
from vitiq.codecs.transform.latent_classifier import EmbeddedClassifier
from vitiq.codecs.transform.networks.embedded import WEIGHTS, TransformModel
from vitiq.errors import InputError
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.study import Study
from vitiq.filters.deblock.embedded import EmbeddedCorrector
from vitiq.image.io import write_png
from vitiq.losses import LOSSES
from vitiq.models import device as devices
from vitiq.models.backbones import load_backbone
from vitiq.optimise.distortion import distortion
from vitiq.optimise.settings import WEIGHTINGS
from vitiq.options import device_fields
from vitiq.registry import load, names
from vitiq.types import ImageU8, Quality
from vitiq.workers import GPU_JOBS, cores, jobs_on

META = torch.device("meta")
NEED_FETCHED_WEIGHTS = {"fid", "lpips", "dists"}
NEURAL = ("generative", "generative-mse", "inversion", "inversion-vector")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that torch is said to see."""
    monkeypatch.setattr(devices, "find_device", torch.device)


@pytest.fixture
def png(tmp_path: Path, small: ImageU8) -> Path:
    write_png(tmp_path / "x.png", small)
    return tmp_path / "x.png"


def test_auto_is_a_gpu_where_torch_sees_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.find_device("auto") == torch.device("cpu")
    with pytest.raises(
        InputError, match=r"device 'toaster' given, which torch does not have here .*; it has only cpu"
    ) as raised:
        devices.find_device("toaster")
    assert "auto" in str(raised.value)
    assert len(str(raised.value)) < 150, "torch's list of twenty kinds is left out"


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU here")
def test_auto_names_the_gpu_that_torch_says_it_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(InputError, match="device 'cuda' given"):
        devices.find_device("auto")


COMMANDS = {
    "encode": ("encode", "{png}", "-o", "{out}"),
    "encode of a folder": ("encode", "{folder}", "-o", "{out}/"),
    "decode": ("decode", "{png}", "-o", "{out}"),
    "run": ("run", "{png}", "-o", "{out}"),
    "bench": ("bench", "{png}", "-c", "jpeg@20", "-o", "{out}"),
    "score": ("score", "{png}", "{png}", "--out", "{out}.csv"),
    "validate": ("validate", "{folder}"),
    "restore": ("restore", "{png}", "-o", "{out}"),
    "classify": ("classify", "{png}"),
    "stats": ("stats", "{folder}", "-o", "{out}.npz"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_device_that_is_not_here_ends_every_command_before_any_work(command: str, png: Path) -> None:
    out = png.parent / "out"
    filled = [word.format(png=png, folder=png.parent, out=out) for word in COMMANDS[command]]
    done = CliRunner().invoke(cli, [*filled, "--device", "cuda:99"])
    assert isinstance(done.exception, InputError)
    assert "device 'cuda:99' given, which torch does not have here" in str(done.exception)
    assert "\n" not in str(done.exception)
    assert [path.name for path in png.parent.iterdir()] == ["x.png"]


@pytest.mark.parametrize(
    "call",
    [
        lambda image: vitiq.encode(image, "jpeg", device="cuda:99"),
        lambda image: vitiq.decode(b"", "generative", device="cuda:99"),
        lambda image: vitiq.codec("generative", device="cuda:99"),
        lambda image: vitiq.codec("inversion-vector", device="cuda:99"),
        lambda image: vitiq.backbone(device="cuda:99"),
        lambda image: vitiq.score(image, image, device="cuda:99"),
        lambda image: vitiq.metric("vit-topk", device="cuda:99"),
        lambda image: vitiq.score_sets([image], [image], device="cuda:99"),
        lambda image: vitiq.score_folder("nowhere", "nowhere", device="cuda:99"),
        lambda image: vitiq.score_sets("nowhere", "nowhere", device="cuda:99"),
        lambda image: vitiq.run_study("nowhere", "jpeg", "out", device="cuda:99"),
    ],
)
def test_and_every_function(call: Any, small: ImageU8) -> None:
    with pytest.raises(InputError, match="device 'cuda:99' given, which torch does not have here"):
        call(small)


def test_a_device_beside_a_codec_that_is_made_already_is_refused(small: ImageU8) -> None:
    with pytest.raises(InputError, match=r"give it to vitiq\.codec instead"):
        vitiq.encode(small, vitiq.codec("jpeg"), device="cpu")


def test_neural_codecs_take_a_device_and_others_do_without() -> None:
    found = {name for name in names("codecs") if device_fields(load("codecs", name).Options)}
    assert found == set(NEURAL)
    assert make_codec("jpeg", device="auto").options == make_codec("jpeg").options
    with pytest.raises(InputError, match="does not take the option device"):
        make_codec("jpeg[device=cpu]")


def test_every_command_that_runs_a_network_takes_a_device() -> None:
    """All others read, show, or train; `train` and `cost` name their hardware otherwise."""
    without = {"info", "bd", "rd", "report", "view", "train", "cost", "models", "metrics", "codecs"}
    for name in set(COMMANDS_OF_ALL) - without:
        command: Any = import_module(f"vitiq.cli.{name}").command
        several: list[Any] = [command, *getattr(command, "commands", {}).values()]
        assert any(option.name == "device" for one in several for option in one.params), name


def test_the_filter_of_jpegs_has_its_networks_on_the_device(gpu: None) -> None:
    placed, plain = (load_filter("deblock", {"device": name}) for name in ("cuda:1", "cpu"))
    assert placed.identity() == {**plain.identity(), "device": "cuda"}
    assert placed.label() == plain.label()
    spec = on_device(parse_codec("jpeg+deblock@20"), "cuda:1")
    assert spec.filters[0].options == {"device": "cuda:1"}


def test_the_networks_of_the_filter_make_no_tensor_on_the_cpu() -> None:
    model = EmbeddedCorrector(device=META).model
    assert model.luma(on_meta(1, 1, 64, 4, 5), on_meta(1, 1, 64)).device == META
    assert model.chroma(on_meta(1, 2, 64, 4, 5), on_meta(1, 2, 64), on_meta(1, 1, 32, 40)).device == META


def test_what_torch_has_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    other = SimpleNamespace(is_available=lambda: True, current_accelerator=lambda: torch.device("xpu"))
    monkeypatch.setattr(torch, "accelerator", other)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="it has cpu and xpu"):
        devices.find_device("toaster")


@pytest.mark.parametrize("name", NEURAL)
def test_the_cpu_is_no_part_of_keys_and_labels_and_a_gpu_of_keys_alone(name: str, gpu: None) -> None:
    plain, auto = make_codec(name), make_codec(name, {"device": "cpu"})
    assert plain.identity() == auto.identity()
    assert "device" not in plain.identity()
    placed = make_codec(name, device="cuda:1")
    assert placed.options.device == "cuda:1"
    assert placed.label() == plain.label()
    assert devices.device_identity("cuda:1") == {"device": "cuda"}


def test_a_device_among_the_options_counts() -> None:
    spec = parse_codec("generative[device=cuda:1]")
    assert on_device(spec, "cuda").options == {"device": "cuda:1"}
    assert on_device(parse_codec("generative@10"), "cuda").options == {"device": "cuda"}
    assert on_device(spec, "cpu") is spec


def test_a_study_has_one_name_wherever_its_vits_run() -> None:
    studies = [Study((), (), ("mse",), device=device) for device in ("cpu", "cuda")]
    assert studies[0].name == studies[1].name
    assert [Study.from_json(one.to_json()).device for one in studies] == ["cpu", "cuda"]
    before = studies[0].to_json()
    del before["device"]
    assert Study.from_json(before) == studies[0], "one written before there was a choice"


def test_few_processes_share_a_gpu() -> None:
    assert jobs_on("cuda", None) == min(GPU_JOBS, cores())
    assert jobs_on("cuda", 9) == 9
    assert jobs_on("cpu", None) is None


def test_auto_gives_the_files_and_values_of_the_cpu(small: ImageU8, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    data = vitiq.encode(small, quality=10).data
    assert vitiq.encode(small, quality=10, device="auto").data == data
    rebuilt = vitiq.decode(data, device="auto")
    assert np.array_equal(rebuilt, vitiq.decode(data))
    found = vitiq.score(small, rebuilt, "vit-topk", device="auto")["vit-topk"]
    other = vitiq.score(small, rebuilt, "vit-topk")["vit-topk"]
    # Probabilities in the details are sums over as many threads as torch takes at the moment: their last digits vary.
    assert (found.value, found.signature) == (other.value, other.signature)
    tables: list[Any] = [score.details["shared_labels"] for score in (found, other)]
    names = [[row["label"] for row in table] for table in tables]
    assert sorted(names[0]) == sorted(names[1])
    assert MetricSpec("vit-topk", device="auto").make()[0].signature() == found.signature


def on_meta(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, device=META)


@pytest.mark.parametrize("name", ["mse", "perceptual"])
def test_the_transform_codecs_networks_make_no_tensor_on_the_cpu(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmbeddedClassifier, "check", lambda self, codec: None)  # a hash of numbers that meta has not
    decoder = Decoder(WEIGHTS, META)
    model = decoder.model
    quality = model.quality(10)
    scaled = model.analysis(on_meta(1, 3, 96, 64), quality) * model.gains(quality)
    hyper = model.prior.analysis(scaled)
    bits = model.prior.bits(scaled, scaled, hyper, quality).sum() + model.prior.hyper_bits(hyper, quality).sum()
    assert decoder.output(name, scaled / model.gains(quality), quality, (90, 60)).device == META
    assert bits.device == META
    assert model.integer_prior.tables.dtype == np.int64, "coding stays with NumPy"
    assert TransformModel().device == torch.device("cpu")


def test_the_generators_networks_make_no_tensor_on_the_cpu() -> None:
    generator = EmbeddedGenerator().to(META).at(128, 64)
    latents = generator.encode(on_meta(1, 3, 64, 128))
    assert generator.generate(latents[:1]).device == META
    assert generator.generate(latents).shape == (1, 3, 64, 128)
    assert all(layer.device == META for layer in generator.prior.bits(latents, on_meta(1, 1, 1, 1)))
    assert load_generator().device == torch.device("cpu")


@pytest.mark.parametrize("name", [name for name in WEIGHTINGS if name not in NEED_FETCHED_WEIGHTS])
def test_what_a_search_minimises_is_where_the_image_is(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "vitiq.models.backbones.load_backbone", lambda device: load_backbone().on(torch.device(str(device)))
    )
    lost = distortion(name, on_meta(1, 3, 64, 80))
    assert lost(on_meta(1, 3, 64, 80)).device == META


@pytest.mark.parametrize("name", [name for name in LOSSES if name.startswith("vit-")])
def test_a_loss_takes_its_backbone_along_and_leaves_the_shared_one(name: str) -> None:
    loss = LOSSES[name]().to("meta")
    value = loss(on_meta(1, 3, 224, 224), on_meta(1, 3, 224, 224))
    assert value.device == META
    assert load_backbone().device == torch.device("cpu")


@pytest.mark.parametrize("name", ["inversion", "inversion-vector"])
def test_files_of_inversion_are_read_and_decoded_on_the_codecs_device(
    name: str, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    embedded, data = load_generator(), make_codec(name, {"iterations": 1}).encode(np.zeros((64, 64, 3), np.uint8))

    def loaded(name: str = "embedded", device: str = "cpu") -> Any:
        asked.append((name, device))
        return embedded

    monkeypatch.setattr("vitiq.codecs.inversion.generators.load_generator", loaded)
    codec = make_codec(name, device="cuda")
    codec.load(data)
    codec.decode(data)
    codec.inspect(data, symbols=True)
    assert set(asked) == {("embedded", "cuda")}
    monkeypatch.setattr("vitiq.codecs.inversion.common.made_with", lambda *_: False)
    monkeypatch.setattr("vitiq.codecs.inversion.common.named_weights", lambda *_: Path("other"))
    codec.load(data)
    assert asked[-1] == ("other", "cuda"), "weights that the file names"


def test_a_generator_that_runs_on_the_cpu_only_says_so() -> None:
    from vitiq.codecs.inversion.generators.base import Generator

    class Fixed(Generator):
        name = "fixed"

        def generate(self, latents: Any) -> Any:
            return latents

    made: Any = Fixed
    with pytest.raises(InputError, match="generator fixed runs on the CPU only, device 'cuda' given"):
        made().to(torch.device("cuda"))
    assert made().to(torch.device("cpu")).name == "fixed"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
@pytest.mark.parametrize("name", ["generative", "generative-mse"])
def test_a_gpu_decodes_the_cpus_files(name: str, bundled: dict[str, ImageU8]) -> None:
    here, there = vitiq.codec(name), vitiq.codec(name, device="cuda")
    for image in bundled.values():
        data = here.encode(image, Quality(20))
        symbols = [codec.inspect(data, symbols=True).symbols for codec in (here, there)]
        assert all(np.array_equal(a, b) for a, b in zip(symbols[0] or (), symbols[1] or (), strict=True))
        assert np.abs(here.decode(data).astype(int) - there.decode(data)).max() <= 1
        sizes = [len(codec.encode(image, Quality(20))) for codec in (here, there)]
        assert abs(sizes[0] - sizes[1]) <= 0.01 * sizes[0]
