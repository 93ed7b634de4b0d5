"""`vitiq train codec` and `vitiq train perceptual` on images made here.

Truth: identities (perceptual training leaves the bitstream alone; two processes see the batch that one sees).
"""

from __future__ import annotations

import csv
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from training_images import write_gradients
from vitiq.codecs.files import encode_file
from vitiq.codecs.transform import latent_classifier
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.codecs.transform.decoder import Decoder
from vitiq.codecs.transform.latent_classifier import LatentClassifier
from vitiq.codecs.transform.networks.embedded import FORMAT, WEIGHTS, TransformModel, quality_of
from vitiq.codecs.transform.networks.residual_dct import Analysis, Synthesis
from vitiq.codecs.transform.networks.transform_codec import TransformCodec
from vitiq.errors import InputError, WeightsError
from vitiq.models.vit import ViTConfig
from vitiq.training.config import Phase
from vitiq.training.crops import Sampler
from vitiq.training.data import ImageSet
from vitiq.training.engine import Inputs, train
from vitiq.training.hardware import Hardware
from vitiq.training.recipes import codec
from vitiq.training.recipes.codec import CodecRecipe, CodecTrainingConfig
from vitiq.training.recipes.context import ContextRecipe
from vitiq.training.recipes.perceptual import TRAINED, PerceptualRecipe
from vitiq.types import ImageU8, Quality
from vitiq.weights.file import read_weights, steps_behind, write_weights


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gradients(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def weights(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an uninterrupted smoke run."""
    return train(CodecRecipe, Inputs([photos], tmp_path_factory.mktemp("whole"), smoke=True), threads=1)


def tensors(path: Path) -> dict[str, torch.Tensor]:
    with safe_open(str(path), framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_trained_weights_code_images(weights: Path, small: ImageU8) -> None:
    decoder = GenerativeMse(generator=weights)
    assert decoder.decode(decoder.encode(small, Quality(10))).shape == small.shape


def test_a_run_can_start_from_weights(photos: Path, weights: Path, tmp_path: Path) -> None:
    path = train(CodecRecipe, Inputs([photos], tmp_path, begin=weights, smoke=True), threads=1)
    assert steps_behind(path) == 2 * steps_behind(weights) == 12
    started, before = tensors(path), tensors(weights)
    moved = (started["synthesis.stem.weight"].float() - before["synthesis.stem.weight"].float()).abs().max()
    assert 0 < float(moved) < 0.05


def test_residual_blocks_that_weights_lack_start_as_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    short = TransformCodec()
    short.analysis, short.synthesis = Analysis((1, 2)), Synthesis(0, (1, 2, 3))
    for parameter in (*short.analysis.parameters(), *short.synthesis.parameters()):
        parameter.data += 0.01 * torch.randn_like(parameter)
    path = tmp_path / "short.safetensors"
    codec.export_weights(short, 0, path)
    long = TransformCodec()
    codec.start_from(long, path)
    known, images, quality = TransformModel(path), torch.rand(1, 3, 64, 128), quality_of(20)
    assert (known.analysis.blocks, known.synthesis("mse").blocks) == ((1, 2), (1, 2, 3))
    latents = 100 * torch.randn(1, 256, 4, 8)
    with torch.no_grad():
        assert torch.equal(long.analysis(images, quality), known.analysis(images, quality))
        assert torch.equal(long.synthesis(latents, quality), known.synthesis("mse")(latents, quality))


def test_fewer_blocks_than_weights_have_are_refused(weights: Path) -> None:
    model = TransformCodec()
    model.synthesis = Synthesis(0, (1, 2, 3))
    with pytest.raises(WeightsError, match="more blocks than are trained"):
        codec.start_from(model, weights)


def test_transforms_are_trained_on_under_the_bitstream_that_is(
    photos: Path, weights: Path, small: ImageU8, tmp_path: Path
) -> None:
    both = train(PerceptualRecipe, Inputs([photos], tmp_path / "both", codec=weights, smoke=True), threads=1)
    config = Path(codec.__file__).parents[1] / "configs" / "codec_transforms.toml"
    inputs = Inputs([photos], tmp_path / "on", config=config, begin=both, smoke=True)
    after = train(CodecRecipe, inputs, threads=1)
    old, new = TransformModel(both), TransformModel(after)
    before, moved = tensors(both), tensors(after)
    kept = ("gains.", "integer.", "perceptual.", "synthesis.stem.", "synthesis.linear.", "synthesis.wide.")
    for name, value in before.items():
        assert torch.equal(value, moved[name]) or not name.startswith(kept), name
    assert not torch.equal(before["analysis.stem.weight"], moved["analysis.stem.weight"])
    assert not torch.equal(before["synthesis.out.weight"], moved["synthesis.out.weight"])
    assert not torch.equal(before["hyper_analysis.first.weight"], moved["hyper_analysis.first.weight"])
    # Files of the weights before are decoded: to the same image where the synthesis is the same.
    assert new.stands_for == tuple(sorted({*old.stands_for, old.weights_sha256}))
    assert new.latent_space == old.latent_space
    data = Generative(generator=both).encode(small, Quality(10))
    assert np.array_equal(Generative(generator=after).decode(data), Generative(generator=both).decode(data))
    assert not np.array_equal(GenerativeMse(generator=after).decode(data), GenerativeMse(generator=both).decode(data))


def test_without_a_perceptual_synthesis_there_is_one_synthesis_still(
    photos: Path, weights: Path, small: ImageU8, tmp_path: Path
) -> None:
    config = Path(codec.__file__).parents[1] / "configs" / "codec_transforms.toml"
    after = train(CodecRecipe, Inputs([photos], tmp_path, config=config, begin=weights, smoke=True), threads=1)
    assert TransformModel(after).synthesis("perceptual").blocks == (3, 7, 8)
    data = GenerativeMse(generator=after).encode(small, Quality(10))
    assert np.array_equal(Generative(generator=after).decode(data), GenerativeMse(generator=after).decode(data))


def test_weights_without_a_perceptual_synthesis_are_said(
    photos: Path, weights: Path, small: ImageU8, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(CodecRecipe, Inputs([photos], tmp_path, begin=WEIGHTS, smoke=True), threads=1, time_limit=0)
    assert f"{WEIGHTS} has a perceptual synthesis, which is not trained on here" in caplog.text
    image = tmp_path / "a.png"
    Image.fromarray(small).save(image)
    said = "have no perceptual synthesis: decoded as by generative-mse; `vitiq train perceptual` makes one"
    for kind, own, missing in ((Generative, weights, 1), (GenerativeMse, weights, 0), (Generative, WEIGHTS, 0)):
        made = kind(generator=own)
        done = encode_file(image, tmp_path / f"{kind.name}{missing}.viq", codec=made)
        assert sum(said in note for note in done.notes) == missing
        assert sum(said in note for note in made.decode_noted(done.path.read_bytes())[1]) == missing


def test_nothing_lies_between_syntheses_of_different_blocks(photos: Path, weights: Path, tmp_path: Path) -> None:
    both = train(PerceptualRecipe, Inputs([photos], tmp_path / "both", codec=weights, smoke=True), threads=1)
    config = Path(codec.__file__).parents[1] / "configs" / "codec_transforms.toml"
    grown = train(CodecRecipe, Inputs([photos], tmp_path / "on", config=config, begin=both, smoke=True), threads=1)
    with pytest.raises(InputError, match=r"interpolation 0\.7 given.*give interpolation = 1\.0"):
        train(PerceptualRecipe, Inputs([photos], tmp_path / "again", codec=grown, smoke=True), threads=1)


@pytest.mark.parametrize("stated", [5, [2, 3], [2, 3, 10**9], [2, "3", 4], None, [0, 3, 4]])
def test_blocks_that_no_synthesis_has_are_refused(stated: object, weights: Path, tmp_path: Path) -> None:
    values, metadata = read_weights(weights, FORMAT, "codec")
    path = tmp_path / "weights.safetensors"
    write_weights(path, values, metadata | {"perceptual_blocks": stated})
    with pytest.raises(WeightsError, match="perceptual_blocks"):
        TransformModel(path)


def test_a_bitstream_is_kept_of_weights_that_are_given(photos: Path, tmp_path: Path) -> None:
    config = Path(codec.__file__).parents[1] / "configs" / "codec_transforms.toml"
    with pytest.raises(InputError, match="--begin"):
        train(CodecRecipe, Inputs([photos], tmp_path, config=config, smoke=True), threads=1)


def test_perceptual_training_leaves_the_bitstream_alone(
    photos: Path, weights: Path, small: ImageU8, tmp_path: Path
) -> None:
    both = train(PerceptualRecipe, Inputs([photos], tmp_path, codec=weights, smoke=True), threads=1)
    before, after = tensors(weights), tensors(both)
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert steps_behind(both, "perceptual_steps") == 4
    added = set(after) - set(before)
    assert added
    assert all(name.removeprefix("perceptual.").startswith(TRAINED) for name in added)
    plain, perceptual = GenerativeMse(generator=both), Generative(generator=both)
    data = plain.encode(small, Quality(10))
    assert not np.array_equal(plain.decode(data), perceptual.decode(data))


def test_a_synthesis_learns_to_aggregate_what_the_classifier_reads(
    photos: Path, weights: Path, small: ImageU8, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    space, reader, run = TransformModel(weights).latent_space, tmp_path / "reader.safetensors", tmp_path / "run"
    latent_classifier.export_weights(LatentClassifier(ViTConfig(depth=2)), space, 0, reader)
    run.mkdir()
    (run / "classifier_embedded.safetensors").write_bytes(b"of another training in this folder")
    both = train(PerceptualRecipe, Inputs([photos], run, codec=weights, classifier=reader, smoke=True), threads=1)
    decoder, size = Decoder(both), (small.shape[0], small.shape[1])
    assert decoder.model.classifier_sha256 == hashlib.sha256(reader.read_bytes()).hexdigest()
    symbols = np.random.default_rng(0).integers(-3, 4, (256, -(-size[0] // 16), -(-size[1] // 16)))
    rebuilt = decoder.reconstruct(symbols, 10, "perceptual", size)
    assert rebuilt.shape == (1, 3, *size)
    # Without the features, the same synthesis gives another image.
    gain = torch.from_numpy(decoder.model.gain(10))[:, None, None]
    with torch.no_grad():
        blind = decoder.model.synthesis("perceptual")(torch.from_numpy(symbols)[None] / gain, quality_of(10))
    assert not torch.equal(blind[:, :, : size[0], : size[1]], rebuilt)
    coded = GenerativeMse(generator=both).encode(small)
    assert Generative(generator=both).decode(coded).shape == small.shape
    # Weights that are made of these name the same classifier, which lies beside them too.
    config = Path(codec.__file__).parents[1] / "configs" / "codec_transforms.toml"
    context = train(ContextRecipe, Inputs([photos], tmp_path / "context", codec=both, smoke=True), threads=1)
    on = Inputs([photos], tmp_path / "on", config=config, begin=both, smoke=True)
    for made in (context, train(CodecRecipe, on, threads=1, time_limit=0)):
        assert Decoder(made).reconstruct(symbols, 10, "perceptual", size).shape == (1, 3, *size)
    (run / "classifier_embedded.safetensors").unlink()
    with pytest.raises(WeightsError, match="needs the classifier"):
        Decoder(both).reconstruct(symbols, 10, "perceptual", size)
    assert Decoder(both).reconstruct(symbols, 10, "mse", size).shape == (1, 3, *size)


def test_the_classifier_must_read_the_codecs_latents(photos: Path, weights: Path, tmp_path: Path) -> None:
    inputs = Inputs([photos], tmp_path, codec=weights, classifier=latent_classifier.WEIGHTS, smoke=True)
    with pytest.raises(WeightsError, match="reads latents of codec weights"):
        train(PerceptualRecipe, inputs, threads=1)


def test_two_processes_share_a_batch(photos: Path, tmp_path: Path) -> None:
    images = ImageSet.open([photos], tmp_path / "cache", short_side=512)
    sampler, phase = Sampler(images, range(5), CodecTrainingConfig.load(smoke=True)), Phase(1, 64, 5)
    whole = sampler.batch([1, 2], phase)
    cpu = torch.device("cpu")
    parts = [sampler.batch([1, 2], phase, Hardware(cpu, rank, 2).local_indices(5)) for rank in (0, 1)]
    assert torch.equal(whole[0::2], parts[0])
    assert torch.equal(whole[1::2], parts[1])


@pytest.mark.parametrize("model", ["codec", "perceptual"])
def test_training_runs_in_two_processes(model: str, photos: Path, weights: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "vitiq"]
    command += ["train", model, "--data", str(photos), "-o", str(tmp_path), "--smoke", "--quiet", "--threads", "1"]
    command += ["--codec", str(weights)] if model == "perceptual" else []
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    with (tmp_path / "log.csv").open(newline="") as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == list(range(1, 7 if model == "codec" else 5))
    moved, before = tensors(tmp_path / "codec_embedded.safetensors"), tensors(weights)
    assert any(
        not torch.equal(value, before[name.replace("perceptual.", "synthesis.")]) for name, value in moved.items()
    )
