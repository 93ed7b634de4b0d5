"""Checkpoints of trainings: what is resumed, and what is refused.

Truth: checkpoints made here, and damaged here in a known place.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn

from vitiq.errors import InputError, WeightsError
from vitiq.training.checkpoint import Run, load_checkpoint, refuse_other_run, save_checkpoint, warn_of_other_images
from vitiq.training.recipes.codec import CodecTrainingConfig
from vitiq.training.recipes.deblock import DeblockTrainingConfig

RUN = Run(DeblockTrainingConfig.load(), False, {"begin": 64 * "a"}, "images")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "checkpoint.pt"
    save_checkpoint(path, 3, {"model": nn.Linear(40, 40)}, RUN)
    return path


def test_what_was_saved_is_resumed(checkpoint: Path) -> None:
    refuse_other_run(checkpoint, RUN)
    before, after = (nn.Linear(40, 40) for _ in range(2))
    assert load_checkpoint(checkpoint, {"model": before}) == load_checkpoint(checkpoint, {"model": after}) == 3
    assert torch.equal(before.weight, after.weight)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"begin": 64 * "b"}, "--begin: sha256 bbbbbbbbbbbb… given, sha256 aaaaaaaaaaaa… there"),
        ({}, "--begin: none given, sha256 aaaaaaaaaaaa… there"),
        ({"begin": 64 * "a", "codec": 64 * "c"}, "--codec: sha256 cccccccccccc… given, none there"),
    ],
)
def test_other_weights_are_refused_by_their_option(checkpoint: Path, weights: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match="run: other weights given than those of the run that is there") as caught:
        refuse_other_run(checkpoint, replace(RUN, weights=weights))
    assert f"({said})" in str(caught.value)


def test_other_images_are_said_and_resumed(checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_other_images(checkpoint, RUN)
    warn_of_other_images(checkpoint.with_name("none"), RUN)
    assert not caplog.records
    other = replace(RUN, images="others")
    refuse_other_run(checkpoint, other)
    warn_of_other_images(checkpoint, other)
    assert "checkpoint.pt was made with other training images" in caplog.text


def test_a_checkpoint_that_does_not_state_its_weights_is_resumed(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = torch.load(checkpoint, weights_only=True)
    stored["settings"] = msgspec.json.encode({"smoke": False, "config": RUN.config}).decode()
    torch.save(stored, checkpoint)
    refuse_other_run(checkpoint, replace(RUN, weights={}))
    warn_of_other_images(checkpoint, RUN)
    assert not caplog.records


def test_every_damaged_tensor_is_found(checkpoint: Path) -> None:
    data = checkpoint.read_bytes()
    with zipfile.ZipFile(checkpoint) as archive:
        members = [member for member in archive.infolist() if member.file_size > 100]
    assert len(members) >= 3
    for member in members:
        # Behind the header of a member: 30 bytes, its name, and what pads it to 64 bytes.
        start = data.index(member.filename.encode(), member.header_offset) + len(member.filename)
        place = start + 64 + member.file_size // 2
        checkpoint.write_bytes(data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :])
        for read in (lambda: refuse_other_run(checkpoint, RUN), lambda: load_checkpoint(checkpoint, {})):
            with pytest.raises(WeightsError, match=r"checkpoint\.pt: a damaged checkpoint, .* its checksum; move it"):
                read()


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "an empty file"), (b"PK\x03\x04 cut", "cut short, damaged"), (b"<html>", "another kind of file")],
)
def test_what_is_no_checkpoint_is_said_without_the_advice_of_torch(checkpoint: Path, data: bytes, said: str) -> None:
    checkpoint.write_bytes(data)
    with pytest.raises(WeightsError, match=said) as caught:
        refuse_other_run(checkpoint, RUN)
    assert str(caught.value).startswith(f"{checkpoint}: ")
    assert "weights_only" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_torch_that_is_no_checkpoint_is_refused(checkpoint: Path) -> None:
    for stored in ({"weight": torch.ones(3)}, [1, 2], nn.Linear(2, 2)):
        torch.save(stored, checkpoint)
        with pytest.raises(
            WeightsError, match="another kind of file, a checkpoint of `vitiq train` expected"
        ) as caught:
            refuse_other_run(checkpoint, RUN)
        assert "weights_only" not in str(caught.value)


def test_a_checkpoint_of_another_model_is_called_by_its_name(checkpoint: Path) -> None:
    with pytest.raises(WeightsError, match="of `vitiq train deblock` given, one of `vitiq train codec` expected"):
        refuse_other_run(checkpoint, replace(RUN, config=CodecTrainingConfig.load()))
    with pytest.raises(WeightsError, match="not a checkpoint of this model") as caught:
        load_checkpoint(checkpoint, {"model": nn.Linear(3, 3)})
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_said_as_such(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"checkpoint\.pt: cannot be written \(No space left on device\); free some"):
        save_checkpoint(path, 3, {"model": nn.Linear(40, 40)}, RUN)
