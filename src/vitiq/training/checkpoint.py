"""Checkpoints of a training, and the average of its parameters."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vitiq.errors import InputError, WeightsError
from vitiq.files import open_output
from vitiq.training.config import TrainingConfig, changed

log = logging.getLogger(__name__)


class Stateful(Protocol):
    """Anything that a checkpoint can hold."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Resume from a `state_dict`."""
        ...


def save_checkpoint(
    path: Path, steps: int, parts: Mapping[str, Stateful], config: TrainingConfig, *, smoke: bool
) -> None:
    """Write a checkpoint, with the settings of its run, atomically."""
    settings = msgspec.json.encode({"smoke": smoke, "config": config}).decode()
    states = {name: part.state_dict() for name, part in parts.items()}
    with open_output(path) as file:
        torch.save({"steps": steps, "settings": settings, "parts": states}, file)


def load_checkpoint(path: Path, parts: Mapping[str, Stateful]) -> int:
    """Restore all parts from a checkpoint; returns the steps done, 0 where there is no checkpoint.

    Raises:
        WeightsError: the file is damaged or belongs to another model.
    """
    if not path.exists():
        return 0
    with _readable(path):
        stored = torch.load(path, map_location="cpu", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(stored["parts"][name])
        return int(stored["steps"])


def refuse_other_run(path: Path, config: TrainingConfig, *, smoke: bool) -> None:
    """Refuse to go on from a checkpoint that was made with other settings; more steps are none.

    Checkpoints of vitiq before 0.2.0 do not say theirs: they are gone on from, with a warning.

    Raises:
        InputError: the settings differ.
        WeightsError: the file is damaged or belongs to another model.
    """
    if not path.exists():
        return
    with _readable(path):
        text = torch.load(path, map_location="cpu", weights_only=True).get("settings")
        if text is None:
            log.warning("%s does not say with which settings it was made; it is resumed with those given now", path)
            return
        before = msgspec.json.decode(text)
        earlier = msgspec.convert(before["config"], type(config))
    if before["smoke"] != smoke:
        given = "without --smoke given, one with it" if before["smoke"] else "--smoke given, one without it"
        differs = f"a run {given} is there"
    elif names := changed(earlier, config):
        differs = f"other settings given than those of the run that is there ({_compared(names, earlier, config)})"
    else:
        return
    raise InputError(f"{path.parent}: {differs}; choose another -o, or remove the folder to start anew")


def _compared(names: list[str], earlier: TrainingConfig, config: TrainingConfig) -> str:
    """Settings that differ, with their values where these are short."""
    found = []
    for name in names:
        old, new = getattr(earlier, name), getattr(config, name)
        short = isinstance(old, int | float | str)
        found.append(f"{name} = {new!r} given, {old!r} there" if short else name)
    return ", ".join(found)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever reading a checkpoint raises, as an error of the file.

    Raises:
        WeightsError: the file is damaged or belongs to another model.
    """
    try:
        yield
    except Exception as error:
        raise WeightsError(f"{path}: not a checkpoint of this model ({error}); move it away to start anew") from error


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
