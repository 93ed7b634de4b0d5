"""Checkpoints of a training, and the average of its parameters."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vitiq.errors import InputError, WeightsError, first_line, unreadable
from vitiq.files import open_output
from vitiq.training.config import TrainingConfig, changed
from vitiq.weights.checkpoint import read_checkpoint

log = logging.getLogger(__name__)

ANEW = "move it away to start anew"
"""What to do about a file that is no checkpoint."""


class Stateful(Protocol):
    """Anything that a checkpoint can hold."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Resume from a `state_dict`."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is made of, which a resumed one has to have in common with its checkpoint.

    Attributes:
        config: settings.
        smoke: whether `small` made them.
        weights: sha256 of the weights that it is given, by their option; of several, of all of them in their order.
        images: digest of the training images; empty where they are not read yet.
    """

    config: TrainingConfig
    smoke: bool
    weights: Mapping[str, str]
    images: str = ""

    @property
    def model(self) -> str:
        """As `vitiq train` calls it."""
        return self.config.name


def save_checkpoint(path: Path, steps: int, parts: Mapping[str, Stateful], run: Run) -> None:
    """Write a checkpoint, with what its run is made of, atomically.

    Raises:
        InputError: it cannot be written (full disk, …).
    """
    about = {
        "model": run.model,
        "smoke": run.smoke,
        "config": run.config,
        "weights": dict(run.weights),
        "images": run.images,
    }
    states = {name: part.state_dict() for name, part in parts.items()}
    # Into memory first: what a disk answers reaches us through torch's archive writer as a fault of its own.
    packed = io.BytesIO()
    torch.save({"steps": steps, "settings": msgspec.json.encode(about).decode(), "parts": states}, packed)
    with open_output(path) as file:
        file.write(packed.getbuffer())


def load_checkpoint(path: Path, parts: Mapping[str, Stateful]) -> int:
    """Restore all parts from a checkpoint; returns the steps done, 0 where there is no checkpoint.

    Raises:
        WeightsError: the file is damaged or belongs to another model.
    """
    if not path.exists():
        return 0
    stored = _read(path)
    try:
        for name, part in parts.items():
            part.load_state_dict(stored["parts"][name])
        return int(stored["steps"])
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(f"{path}: not a checkpoint of this model ({first_line(error)}); {ANEW}") from error


def refuse_other_run(path: Path, run: Run) -> None:
    """Refuse to resume a checkpoint that was made with other settings or other weights; more steps are none.

    Checkpoints of earlier versions do not say theirs: they are resumed, with a warning.

    Raises:
        InputError: settings or weights differ.
        WeightsError: the file is damaged or belongs to another model.
    """
    if not path.exists():
        return
    before = _stated(path)
    if before is None:
        log.warning("%s does not say with which settings it was made; it is resumed with those given now", path)
        return
    model = before.get("model", run.model)
    if model != run.model:
        raise WeightsError(
            f"{path}: a checkpoint of `vitiq train {model}` given, one of `vitiq train {run.model}` expected; "
            f"choose another -o"
        )
    try:
        earlier = msgspec.convert(before["config"], type(run.config))
    except msgspec.ValidationError as error:
        raise WeightsError(
            f"{path}: its settings are none of `vitiq train {run.model}` ({error}), it is of another model or another "
            f"version; choose another -o"
        ) from error
    if before["smoke"] != run.smoke:
        given = "without --smoke given, one with it" if before["smoke"] else "--smoke given, one without it"
        differs = f"a run {given} is there"
    elif names := changed(earlier, run.config):
        compared = _compared(names, earlier, run.config)
        differs = f"other settings given than those of the run that is there ({compared})"
    elif options := _other_weights(before.get("weights"), run.weights):
        differs = f"other weights given than those of the run that is there ({options})"
    else:
        return
    raise InputError(f"{path.parent}: {differs}; choose another -o, or remove the folder to start anew")


def warn_of_other_images(path: Path, run: Run) -> None:
    """Say where a checkpoint was made with other images: to add some is legitimate, but the result is another.

    Raises:
        WeightsError: the file is damaged.
    """
    before = (_stated(path) or {}).get("images") if path.exists() else None
    if before and before != run.images:
        log.warning(
            "%s was made with other training images than those of --data; it is resumed with these, some of which may "
            "have been held out before, or the other way round",
            path,
        )


def _compared(names: list[str], earlier: TrainingConfig, config: TrainingConfig) -> str:
    """Settings that differ, with their values where these are short."""
    found = []
    for name in names:
        old, new = getattr(earlier, name), getattr(config, name)
        short = isinstance(old, int | float | str)
        found.append(f"{name} = {new!r} given, {old!r} there" if short else name)
    return ", ".join(found)


def _other_weights(before: Mapping[str, str] | None, now: Mapping[str, str]) -> str:
    """Options whose weights differ, with the first digits of both hashes; "" for none, or where they are not known."""
    if before is None:
        return ""

    def short(sha256: str | None) -> str:
        return f"sha256 {sha256[:12]}…" if sha256 else "none"

    names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    return ", ".join(f"--{name}: {short(now.get(name))} given, {short(before.get(name))} there" for name in names)


def _stated(path: Path) -> dict[str, Any] | None:
    """What a checkpoint states of its run; None where it states nothing, as those of vitiq before 0.2.0."""
    text = _read(path).get("settings")
    try:
        return None if text is None else dict(msgspec.json.decode(text))
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: not a checkpoint of `vitiq train` ({first_line(error)}); {ANEW}") from error


def _read(path: Path) -> dict[str, Any]:
    """What a checkpoint holds; its checksums, which torch leaves unread, are compared first.

    Raises:
        WeightsError: the file cannot be read, is damaged, or is no checkpoint.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except OSError as error:
        raise WeightsError(unreadable(path, error)) from error
    except Exception as error:  # zipfile and zlib each raise their own on damaged bytes
        what = "an empty file" if path.stat().st_size == 0 else "cut short, damaged or another kind of file"
        raise WeightsError(f"{path}: {what}, a checkpoint of `vitiq train` expected; {ANEW}") from error
    if damaged is not None:
        raise WeightsError(f"{path}: a damaged checkpoint, {damaged} in it does not match its checksum; {ANEW}")
    try:
        stored = read_checkpoint(path)
        if not {"steps", "parts"} <= stored.keys():
            raise KeyError("parts")
    except Exception as error:  # of many kinds; torch's own advice is to read it all the same
        raise WeightsError(f"{path}: another kind of file, a checkpoint of `vitiq train` expected; {ANEW}") from error
    return dict(stored)


class Ema:
    """Exponential moving average of a model's parameters."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.values = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the model; faster in the first steps, so that the start is forgotten."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average([self.values[name] for name, _ in model.named_parameters()], list(model.parameters()), self.steps)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with averaged parameters, for validation and export."""
        kept = {name: value.detach().clone() for name, value in model.named_parameters()}
        self._copy(model, self.values)
        try:
            yield
        finally:
            self._copy(model, kept)

    def adopt(self, model: nn.Module) -> None:
        """Give the model the averaged parameters for good."""
        self._copy(model, self.values)

    @staticmethod
    @torch.no_grad()
    def _copy(model: nn.Module, values: Mapping[str, Tensor]) -> None:
        for name, value in model.named_parameters():
            value.copy_(values[name])

    def state_dict(self) -> dict[str, Any]:
        """Steps and averaged parameters."""
        return {"steps": self.steps, "values": self.values}

    def load_state_dict(self, state_dict: dict[str, Any], /) -> None:
        """Restore what `state_dict` gave."""
        self.steps = int(state_dict["steps"])
        for name, value in state_dict["values"].items():
            self.values[name].copy_(value)
