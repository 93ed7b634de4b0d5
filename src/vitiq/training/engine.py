"""The engine of every training: resume, steps, validation, log, curves, checkpoints and weights.

What is learned, and from what, is a recipe's: `recipes/` has one module a model. Everything random in a step comes from
(seed, step), so a resumed run ends with the bits of an uninterrupted one.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from vitiq.errors import InputError, WeightsError, unreadable
from vitiq.files import open_output
from vitiq.training.checkpoint import (
    Ema,
    Run,
    Stateful,
    load_checkpoint,
    refuse_other_run,
    save_checkpoint,
    warn_of_other_images,
)
from vitiq.training.config import TrainingConfig
from vitiq.training.data import ImageSet, digest_of
from vitiq.training.hardware import Hardware, batches, open_hardware
from vitiq.training.log import CsvLog, draw_curves
from vitiq.weights.file import steps_behind
from vitiq.weights.store import sha256_file

log = logging.getLogger(__name__)

Report = Callable[[int, int, float], None]
"""Called after each step with (steps done, steps in all, loss)."""

Row = dict[str, float]
"""What is logged of a step, by column."""


NORM = "gradient_norm"
"""Column of the norm of the model's gradient before clipping; where it is not finite, the step was skipped."""

CHECKPOINT = "checkpoint.pt"
"""Name of the checkpoint in the run folder."""

SMOKE_IMAGES = 16
"""Images of each source that a smoke run decodes."""

C = TypeVar("C", bound=TrainingConfig)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a training is given. A recipe leaves unread the weights that it does not name.

    Attributes:
        data: folders or .tar files of training images; labels are not used.
        out: run folder; holds the checkpoint, `log.csv`, `curves.png`, caches of data and the weights.
        config: TOML configuration; None for the shipped one.
        begin: weights file to start from where there is no checkpoint; None for the recipe's own start.
        teachers: checkpoints of ViT-Ti/16 to learn from.
        codec: weights of `vitiq train codec`; None for those that ship.
        classifier: weights of `vitiq train classifier`; None for none.
        smoke: a few steps on little data, for tests.
    """

    data: Sequence[Path]
    out: Path
    config: Path | None = None
    begin: Path | None = None
    teachers: Sequence[Path] = ()
    codec: Path | None = None
    classifier: Path | None = None
    smoke: bool = False

    def weights(self, shipped: Mapping[str, Path]) -> dict[str, str]:
        """sha256 of the weights, by the option that names them; of several, of all in their order.

        Args:
            shipped: what is taken where an option is not given.

        Raises:
            WeightsError: one cannot be read.
        """
        options = {"begin": self.begin, "codec": self.codec, "classifier": self.classifier}
        given = {name: path for name, path in options.items() if path is not None}
        found = {name: _hash_of(path) for name, path in {**shipped, **given}.items()}
        if self.teachers:
            found["teacher"] = digest_of([_hash_of(path) for path in self.teachers])
        return found


def _hash_of(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise WeightsError(unreadable(path, error)) from error


class Recipe(ABC, Generic[C]):
    """One model's training: its data, its step, its validation and its weights file.

    Attributes:
        config_class: of the configuration.
        weights_file: name of the weights file in the run folder.
        losses, figures: columns of the log that the curves show, of every step and of validations.
        saved_as: name of the model in a checkpoint.
        shipped: weights that are taken where their option is not given.
        config: settings.
        hardware: device and processes.
        images, training, held_out: decoded images; indices of those to learn from, and of those to validate on.
        earlier: optimiser steps behind the weights that it began from.
        model, optimiser, average: what is exported and validated, with averaged parameters.
    """

    config_class: ClassVar[type[TrainingConfig]]
    weights_file: ClassVar[str]
    losses: ClassVar[Sequence[str]]
    figures: Sequence[str]
    saved_as: ClassVar[str] = "model"
    shipped: ClassVar[Mapping[str, Path]] = MappingProxyType({})
    config: C
    model: nn.Module
    optimiser: torch.optim.Optimizer
    average: Ema

    def __init__(self, config: C, inputs: Inputs, hardware: Hardware) -> None:
        """Settings and images; a subclass adds the model, with every random number drawn from the seed."""
        self.config, self.hardware = config, hardware
        self.earlier = steps_behind(inputs.begin)
        limit, cache = SMOKE_IMAGES if inputs.smoke else None, inputs.out / "images"
        self.images = hardware.main_first(
            lambda: ImageSet.open(inputs.data, cache, short_side=config.short_side, limit=limit)
        )
        self.training, self.held_out = self.images.split(config.held_out)
        if len(self.held_out) < config.held_out and hardware.is_main_process:
            log.warning(
                "held_out = %d given, %d images there: %d are validated on, and %d learned from",
                config.held_out,
                len(self.images),
                len(self.held_out),
                len(self.training),
            )
        torch.manual_seed(config.seed)

    def parts(self) -> dict[str, Stateful]:
        """Everything that a checkpoint holds."""
        return {self.saved_as: self.model, "optimiser": self.optimiser, "average": self.average}

    @abstractmethod
    def batch(self, step: int) -> Tensor:
        """What 0-based `step` learns from; may be called in another process, so it touches no GPU."""

    @abstractmethod
    def step(self, batch: Tensor, step: int) -> Row:
        """One step of every optimiser and of the average; the row has `loss` where the model itself learned."""

    @abstractmethod
    def validate(self, done: int) -> Row:
        """Figures on held-out images after `done` steps; the model has its averaged parameters."""

    @abstractmethod
    def export(self, done: int, path: Path) -> None:
        """Write the weights after `done` steps; the model has its averaged parameters."""

    def batches(self, start: int) -> Iterator[Tensor]:
        """The batches of steps `start` … the last, on the device."""
        return batches(self.batch, start, self.config.steps, self.hardware)

    def set_rate(self, step: int) -> float:
        """Give the optimiser the learning rate of 0-based `step`, and return it."""
        rate = self.config.rate(step)
        set_rate(self.optimiser, rate)
        return rate


def train(
    recipe: type[Recipe[Any]],
    inputs: Inputs,
    *,
    threads: int | None = None,
    report: Report | None = None,
    time_limit: float | None = None,
) -> Path:
    """Train, or resume training; returns the weights file.

    Ctrl-C ends the step in progress and writes a checkpoint first; a second Ctrl-C does not wait.

    Args:
        recipe: of the model.
        inputs: what it is given.
        threads: CPU threads; None leaves torch's choice.
        report: called after each step.
        time_limit: seconds after which the run stops at a checkpoint; the same call resumes it.

    Raises:
        InputError: the configuration or the data cannot be used, or the run folder holds a run of other settings.
        WeightsError: weights or the checkpoint cannot be used.
    """
    end = math.inf if time_limit is None else time.monotonic() + time_limit
    config, checkpoint = recipe.config_class.load(inputs.config, smoke=inputs.smoke), inputs.out / CHECKPOINT
    weights = inputs.weights(recipe.shipped) if checkpoint.exists() else {}
    refuse_other_run(checkpoint, Run(config, inputs.smoke, weights))
    if threads is not None:
        torch.set_num_threads(threads)
    with open_hardware() as hardware:
        started = recipe(config, inputs, hardware)
        run = Run(config, inputs.smoke, inputs.weights(recipe.shipped), started.images.digest)
        inputs.out.mkdir(parents=True, exist_ok=True)
        if hardware.is_main_process:
            warn_of_other_images(checkpoint, run)
        return _run(started, run, inputs.out, report, end)


def _run(recipe: Recipe[Any], run: Run, out: Path, report: Report | None, end: float) -> Path:
    """All steps from the checkpoint on; stops early after `end` on the clock of `time.monotonic`."""
    hardware, schedule = recipe.hardware, recipe.config
    start = load_checkpoint(out / CHECKPOINT, recipe.parts())
    log = CsvLog(out / "log.csv", start) if hardware.is_main_process else None
    if log is not None and start >= schedule.steps:
        # Nothing is left to learn; the weights may have been removed, or not been written before a kill.
        _export(recipe, start, out)
    # Several processes would stop at different steps; there the launcher ends them.
    with interrupt_after_step(enabled=hardware.world == 1) as interrupted:
        for step, batch in enumerate(recipe.batches(start), start):
            row, done = recipe.step(batch, step), step + 1
            last = done == schedule.steps
            overdue = math.isfinite(end) and hardware.any_process(time.monotonic() > end)
            if log is not None:
                if last or done % schedule.validate_every == 0:
                    with recipe.average.applied(recipe.model):
                        row |= recipe.validate(done)
                log.write(done, row)
                due = last or overdue or done % schedule.checkpoint_every == 0
                if due:
                    _save(recipe, done, run, out, log)
                if report is not None:
                    report(done, schedule.steps, row.get("loss", math.nan))
                if interrupted() and not due:
                    _save(recipe, done, run, out, log)
            if interrupted():
                raise KeyboardInterrupt
            if overdue:
                break
    if log is not None:
        say_skipped(log.rows, out)
    return out / recipe.weights_file


def _save(recipe: Recipe[Any], done: int, run: Run, out: Path, log: CsvLog) -> None:
    """Checkpoint, curves and weights as they stand."""
    save_checkpoint(out / CHECKPOINT, done, recipe.parts(), run)
    with open_output(out / "curves.png") as file:
        draw_curves(log.rows, recipe.losses, recipe.figures).savefig(file, format="png")
    _export(recipe, done, out)


def _export(recipe: Recipe[Any], done: int, out: Path) -> None:
    with recipe.average.applied(recipe.model):
        recipe.export(done, out / recipe.weights_file)


MOSTLY = 0.5
"""Share of skipped steps above which a run has failed."""


def say_skipped(rows: Sequence[Mapping[str, str]], out: Path) -> None:
    """Say how many steps of a log were skipped, see `clip_and_step`.

    Raises:
        InputError: most of them were: what was trained is of no use.
    """
    norms = [float(row[NORM]) for row in rows if row.get(NORM)]
    skipped = sum(not math.isfinite(norm) for norm in norms)
    if not skipped:
        return
    said = f"{out}: {skipped} of {len(norms)} steps were skipped, since their gradients were not finite"
    if skipped <= MOSTLY * len(norms):
        log.warning("%s; where they become more, lower learning_rate in the configuration", said)
        return
    raise InputError(
        f"{said}: the training diverged, its weights are of no use; lower learning_rate in the configuration, and "
        f"choose another -o"
    )


@contextmanager
def interrupt_after_step(*, enabled: bool) -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed in the block, which continues; the second one is a KeyboardInterrupt at once.

    Where SIGINT is ignored, as in a background job, or this is not the main thread, nothing changes.
    """
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if not (enabled and main) or before in (None, signal.SIG_IGN):
        yield lambda: False
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of parameters its share of a learning rate; 1 where it names none."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("share", 1.0)


def descend(
    loss: Tensor,
    optimiser: torch.optim.Optimizer,
    parameters: Iterable[nn.Parameter],
    clip: float,
    *,
    average_over: Hardware | None = None,
) -> float:
    """One optimiser step down the loss; returns the gradient's norm before clipping.

    Args:
        loss: its gradient reaches `parameters` alone.
        optimiser: of these parameters.
        parameters: what learns.
        clip: largest norm of the gradient.
        average_over: processes whose gradients are averaged here, since their module is not `data_parallel`.
    """
    learning = tuple(parameters)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss, inputs=learning)
    if average_over is not None:
        average_over.average_gradients(learning)
    return float(clip_and_step(optimiser, learning, clip))


def clip_and_step(optimiser: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], clip: float) -> Tensor:
    """One step with the gradients at hand, none where they are not finite; returns their norm before clipping."""
    norm = nn.utils.clip_grad_norm_(parameters, clip)
    if bool(torch.isfinite(norm)):
        optimiser.step()
    return norm
