"""What every training loop shares: checkpoints, weight averaging, a log, mixed precision."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vitiq.errors import WeightsError
from vitiq.files import open_output, write_text


class Stateful(Protocol):
    """Anything that a checkpoint can hold."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Go on from a `state_dict`."""
        ...


def save_checkpoint(path: Path, steps: int, parts: Mapping[str, Stateful]) -> None:
    """Write a checkpoint atomically."""
    with open_output(path) as file:
        torch.save({"steps": steps, "parts": {name: part.state_dict() for name, part in parts.items()}}, file)


def load_checkpoint(path: Path, parts: Mapping[str, Stateful]) -> int:
    """Restore all parts from a checkpoint; returns the steps done, 0 where there is no checkpoint.

    Raises:
        WeightsError: the file is damaged or belongs to another model.
    """
    if not path.exists():
        return 0
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(stored["parts"][name])
        return int(stored["steps"])
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


class CsvLog:
    """A CSV log that a resumed run continues: rows after the checkpoint are dropped first."""

    def __init__(self, path: Path, start: int) -> None:
        self.path = path
        rows: list[dict[str, str]] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if row["step"].isdigit() and int(row["step"]) <= start]
        self.columns: list[str] = list(rows[0]) if rows else []
        self.rows = rows
        self._rewrite()

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one row; a column seen for the first time rewrites the file with it."""
        row = {"step": str(step)} | {name: f"{value:.6g}" for name, value in values.items()}
        self.rows.append(row)
        new = [name for name in row if name not in self.columns]
        if new:
            self.columns += new
            self._rewrite()
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns).writerow(row)

    def _rewrite(self) -> None:
        if not self.columns:
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns)
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())


def cosine(step: int, steps: int, warmup: int, high: float, low: float) -> float:
    """Learning rate of 0-based `step`: linear warm-up to `high`, then cosine decay to `low`."""
    if step < warmup:
        return high * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return low + 0.5 * (high - low) * (1 + math.cos(math.pi * done))


def bf16_if_fast() -> AbstractContextManager[Any]:
    """bfloat16 autocast where the CPU multiplies it natively, else float32."""
    if torch.cpu._is_avx512_bf16_supported():
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()
