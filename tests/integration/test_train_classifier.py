"""`vitiq train classifier`, the weights it writes, and reading them, with an untrained codec and teachers made here.

Truth: identities (before training, and with a codec that is the DCT, the classifier reads what its ViT reads in the
image).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from training_images import write_blurred
from vitiq.api.labels import classify
from vitiq.codecs.transform.codec import GenerativeMse
from vitiq.codecs.transform.latent_classifier import (
    EmbeddedClassifier,
    export_weights,
    from_vit,
)
from vitiq.codecs.transform.networks.embedded import TransformModel, quality_of
from vitiq.codecs.transform.networks.transform_codec import TransformCodec
from vitiq.errors import WeightsError
from vitiq.models.top_labels import most_probable
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.training.engine import Inputs, train
from vitiq.training.recipes.classifier import ClassifierRecipe
from vitiq.training.recipes.codec import export_weights as export_codec
from vitiq.training.teachers import soft_loss
from vitiq.types import Quality


@pytest.fixture(scope="module")
def codec_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained codec: its transforms are the DCT of the kept coefficients."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("codec") / "codec.safetensors"
    export_codec(TransformCodec(), 0, path)
    return path


@pytest.fixture(scope="module")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    teacher = VisionTransformer(ViTConfig())
    torch.nn.init.normal_(teacher.head.weight)
    save_file(teacher.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blurred(tmp_path_factory.mktemp("data"), 6)


def trained(data: Path, teacher: Path, codec: Path, out: Path, begin: Path | None = None) -> Path:
    """Weights of a smoke run."""
    return train(ClassifierRecipe, Inputs([data], out, begin=begin, teachers=[teacher], codec=codec, smoke=True))


def small_vit() -> VisionTransformer:
    torch.manual_seed(2)
    vit = VisionTransformer(ViTConfig(image_size=64, width=24, depth=2, classes=1000)).eval().requires_grad_(False)
    torch.nn.init.normal_(vit.head.weight)
    return vit


def test_before_training_it_reads_what_its_vit_reads(codec_file: Path) -> None:
    codec, vit = TransformModel(codec_file), small_vit()
    classifier = from_vit(vit, codec)
    latents = 30 * torch.randn(256, 4, 4)
    with torch.no_grad():
        image = codec.synthesis("mse").linear(latents[None])
        wanted = vit((image + 128) / 127.5 - 1)
        found = classifier(classifier.patches(latents, 64, 64)[None], quality_of(20))
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=1e-3)


def test_weights_survive_their_file(codec_file: Path, tmp_path: Path) -> None:
    codec = TransformModel(codec_file)
    classifier = from_vit(small_vit(), codec)
    path = tmp_path / "c.safetensors"
    export_weights(classifier, codec.latent_space, 3, path)
    read = EmbeddedClassifier(path)
    read.check(codec)
    for name, value in classifier.state_dict().items():
        step = float(value.abs().max()) / 127
        assert float((read.model.state_dict()[name] - value).abs().max()) <= step, name
    latents = np.random.default_rng(0).normal(0, 30, (256, 3, 5)).astype(np.float32)
    logits = read.logits(latents, 40, 77, 20)
    found = most_probable(logits, read.labels, 3)
    assert [share for _, share in found] == sorted((share for _, share in found), reverse=True)
    assert found[0][0] == read.labels[int(logits.argmax())]
    assert sum(share for _, share in most_probable(logits, read.labels, 1000)) == pytest.approx(1)


def test_bad_weights_are_refused(codec_file: Path, tmp_path: Path) -> None:
    codec = TransformModel(codec_file)
    path = tmp_path / "c.safetensors"
    export_weights(from_vit(small_vit(), codec), "of another codec", 3, path)
    with pytest.raises(WeightsError, match="vitiq train classifier"):
        EmbeddedClassifier(path).check(codec)
    with pytest.raises(WeightsError, match="missing"):
        EmbeddedClassifier(tmp_path / "none.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: not a readable"):
        EmbeddedClassifier(tmp_path / "cut.safetensors")
    with pytest.raises(WeightsError, match="format 'vitiq-transform-codec-2' given"):
        EmbeddedClassifier(codec_file)
    tensors = load_file(path)
    del tensors["norm.weight"]
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        stated = file.metadata()
    save_file(tensors, tmp_path / "less.safetensors", metadata=stated)
    with pytest.raises(WeightsError, match=r"less\.safetensors: tensors do not fit"):
        EmbeddedClassifier(tmp_path / "less.safetensors")


def test_labels_of_a_file_are_read_by_the_classifier_that_lies_beside_its_weights(
    codec_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Truth: what that classifier reads in the file's latents, and the hash of its file."""
    mine = tmp_path / "mine"
    mine.mkdir()
    weights = shutil.copy(codec_file, mine)
    codec, networks = GenerativeMse(generator=str(weights)), TransformModel(codec_file)
    data = codec.encode(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), Quality(18))
    monkeypatch.setenv("VITIQ_WEIGHTS_PATH", str(mine))
    beside = mine / "classifier_embedded.safetensors"
    for wrong in (None, "of another codec"):
        if wrong is not None:
            export_weights(from_vit(small_vit(), networks), wrong, 3, beside)
        with pytest.raises(WeightsError, match=rf"`vitiq train classifier`, and put it at {re.escape(str(beside))}"):
            classify(data)
    export_weights(from_vit(small_vit(), networks), networks.latent_space, 3, beside)
    found = classify(data).found
    assert found.network == hashlib.sha256(beside.read_bytes()).hexdigest()[:12]
    own = EmbeddedClassifier(beside)
    (latents,) = codec.inspect(data, symbols=True).latents or ()
    assert found.labels[0][0] == own.labels[int(own.logits(latents, 64, 64, 18).argmax())]


def test_a_reading_like_the_teachers_has_no_loss() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 1000)
    assert float(soft_loss(logits, logits + 7, 2.0)) == pytest.approx(0, abs=1e-5)
    assert float(soft_loss(logits, -logits, 2.0)) > 0.1


def test_a_run_can_start_from_weights(data: Path, teacher_file: Path, codec_file: Path, tmp_path: Path) -> None:
    whole = trained(data, teacher_file, codec_file, tmp_path / "whole")
    before = EmbeddedClassifier(whole)
    before.check(TransformModel(codec_file))
    begun = trained(data, teacher_file, codec_file, tmp_path / "begun", whole)
    # Half-precision tensors show small steps; the 8-bit ones need not move.
    change = (EmbeddedClassifier(begun).model.embed.weight - before.model.embed.weight).abs().max()
    assert 0 < float(change) < 0.01


def test_views_are_coded_again_where_images_changed(
    data: Path, teacher_file: Path, codec_file: Path, tmp_path: Path
) -> None:
    images, out = tmp_path / "images", tmp_path / "run"
    shutil.copytree(data, images)
    trained(images, teacher_file, codec_file, out)
    before = {path.name for path in out.glob("views-*")}
    shutil.copyfile(images / "1.png", images / "0.png")
    trained(images, teacher_file, codec_file, out)
    assert len({path.name for path in out.glob("views-*")} - before) == 1


def test_training_runs_in_two_processes(data: Path, teacher_file: Path, codec_file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "vitiq"]
    command += ["train", "classifier", "--data", str(data), "--teacher", str(teacher_file), "--codec", str(codec_file)]
    command += ["-o", str(tmp_path / "two"), "--smoke", "--quiet", "--threads", "1"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    alone = trained(data, teacher_file, codec_file, tmp_path / "one")
    both = EmbeddedClassifier(tmp_path / "two" / alone.name).model.embed.weight
    # The same batches, dealt to two processes: gradients differ by rounding alone.
    assert float((EmbeddedClassifier(alone).model.embed.weight - both).abs().max()) < 1e-3
