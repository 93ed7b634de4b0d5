"""Configuration files of the trainings: TOML, whose types and ranges are checked by the structure filled."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

import msgspec

from vitiq.errors import InputError
from vitiq.text import parse_toml, read_text

LARGEST = sys.float_info.max
"""Bounds of msgspec are finite themselves."""

Count = Annotated[int, msgspec.Meta(ge=1)]
"""At least 1."""
Whole = Annotated[int, msgspec.Meta(ge=0)]
"""At least 0."""
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""What random generators take."""
Finite = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
"""Any number; NaN and infinity are refused, as by all below."""
Positive = Annotated[float, msgspec.Meta(gt=0, le=LARGEST)]
"""Above 0."""
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
"""At least 0."""
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
"""0 … 1."""
Dropped = Annotated[float, msgspec.Meta(ge=0, lt=1)]
"""0 … below 1."""
Times = Annotated[float, msgspec.Meta(ge=1, le=LARGEST)]
"""At least 1."""


SHIPPED = Path(__file__).parent / "configs"
"""Folder of the configurations that come with vitiq."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a configuration file; a field that is unknown, missing or of another type is refused."""


class Phase(Settings, frozen=True, kw_only=False):
    """A stretch of training with one crop size in pixels and one batch size."""

    steps: Whole
    crop: Count
    batch: Count


class TrainingConfig(Settings, frozen=True, kw_only=True):
    """What every training's configuration holds.

    Attributes:
        seed: of everything random.
        learning_rate, final_learning_rate: highest and last one.
        gradient_clip: largest norm of a step's gradient.
        ema: decay of the averaged parameters.
        checkpoint_every, validate_every: steps between two.
        held_out: images that are validated on.
        name: of the shipped file in `configs/`, without its suffix.
        title: the name as people write it, where it differs.
    """

    seed: Seed
    learning_rate: Positive
    final_learning_rate: NotNegative
    gradient_clip: Positive
    ema: Share
    checkpoint_every: Count
    validate_every: Count
    held_out: Whole
    name: ClassVar[str]
    title: ClassVar[str] = ""

    @classmethod
    def load(cls, path: Path | None = None, *, smoke: bool = False) -> Self:
        """A configuration from a file.

        Args:
            path: TOML file, or the name of a shipped one; None for the shipped one of this training.
            smoke: its settings made small, see `small`.

        Raises:
            InputError: the file cannot be read, has unknown or missing keys, or a value of another type or out of
                range.
        """
        config = read_config(path, cls.name, cls, cls.title)
        return config.small() if smoke else config

    def small(self) -> Self:
        """The same for a run of seconds that only shows that all parts work."""
        raise NotImplementedError

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        raise NotImplementedError

    @property
    def warmup_steps(self) -> int:
        """First steps, in which the learning rate rises."""
        return 1

    @property
    def short_side(self) -> int:
        """Images with a longer short side, in pixels, are downscaled to it."""
        return 512

    def rate(self, step: int) -> float:
        """Learning rate of 0-based `step`."""
        return cosine(step, self.steps, self.warmup_steps, self.learning_rate, self.final_learning_rate)


class SteadyConfig(TrainingConfig, frozen=True, kw_only=True):
    """A training whose steps are all of one kind."""

    steps: Count
    batch: Count


class DistillationConfig(SteadyConfig, frozen=True, kw_only=True):
    """A training of a network by AdamW with weight decay, after a warm-up."""

    warmup_steps: Whole
    weight_decay: NotNegative


class PhasedConfig(TrainingConfig, frozen=True, kw_only=True):
    """A training on random crops, in phases of growing crops.

    Attributes:
        crop_multiple: what the networks want sides of crops to be a multiple of.
        graphic_share: crops that are drawn, since photographs lack flat graphics.
        largest_shrink: most that an image is downscaled before it is cropped, in times.
        largest_enlargement: most that some are enlarged: large photographs are smoother than small ones.
    """

    warmup_steps: Whole
    graphic_share: Share
    largest_shrink: Times
    largest_enlargement: Times = 1.0
    phases: tuple[Phase, ...]
    crop_multiple: ClassVar[int]

    def __post_init__(self) -> None:
        """Refuses what does not fit together."""
        if not self.steps:
            raise ValueError(f"phases: {len(self.phases)} of 0 steps in all given, one step or more expected")
        for size in self.crop_sizes:
            check_crop(size, self.crop_multiple)

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    @property
    def crop_sizes(self) -> frozenset[int]:
        """Sides of crops, in pixels."""
        return frozenset(phase.crop for phase in self.phases)


def check_crop(size: int, multiple: int, least: int = 1) -> None:
    """Refuse a side of crops that networks do not take.

    Raises:
        ValueError: it is smaller than `least` pixels, or no multiple of `multiple`.
    """
    if size % multiple or size < least:
        from_there = f" from {least} on" if least > multiple else ""
        raise ValueError(f"crop = {size} given, a multiple of {multiple} pixels{from_there} expected")


def check_order(low: str, lowest: float, high: str, highest: float) -> None:
    """Refuse two settings, given by name and value, of which the first is above the second.

    Raises:
        ValueError: it is.
    """
    if lowest > highest:
        raise ValueError(f"{low} = {lowest:g} and {high} = {highest:g} given, {low} at most {high} expected")


WHEN = frozenset({"checkpoint_every", "validate_every"})
"""Settings that say when a run is looked at, and nothing about what it learns."""


def changed(before: Settings, now: Settings) -> list[str]:
    """Names of the settings that differ in what is learned; steps may have become more, and phases may follow."""
    names = [name for name in before.__struct_fields__ if name not in WHEN]
    values = ((name, getattr(before, name), getattr(now, name)) for name in names)
    return [name for name, old, new in values if old != new and not _extended(name, old, new)]


def _extended(name: str, old: Any, new: Any) -> bool:
    if name == "steps":
        return bool(new >= old)
    if name == "phases":
        return len(new) >= len(old) and not any(changed(a, b) for a, b in zip(old, new, strict=False))
    return isinstance(old, Settings) and not changed(old, new)


def cosine(step: int, steps: int, warmup: int, high: float, low: float) -> float:
    """Learning rate of 0-based `step`: linear warm-up to `high`, then cosine decay to `low`."""
    if step < warmup:
        return high * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return low + 0.5 * (high - low) * (1 + math.cos(math.pi * done))


S = TypeVar("S", bound=Settings)


def read_config(path: Path | None, name: str, kind: type[S], title: str = "") -> S:
    """A structure filled from a file; what `TrainingConfig.load` does.

    Args:
        path: a file, or the name of a shipped configuration; None for the one called `name`.
        name, title: as the attributes of `TrainingConfig`.

    Raises:
        InputError: as `TrainingConfig.load`.
    """
    path, values = _found(path, name), {}
    try:
        values = parse_toml(read_text(path))
        return msgspec.convert(values, kind)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise InputError(
            f"{path}: not a {title or name} training configuration ({_with_value(str(error), values)}); "
            f"start from the shipped {SHIPPED / name}.toml"
        ) from error


PLACE = re.compile(r"(?P<said>.*) - at `\$\.?(?P<place>[\w.\[\]]+)`", re.DOTALL)
"""How msgspec says which value it is about."""


def _with_value(said: str, values: Mapping[str, Any]) -> str:
    """What msgspec says, with the setting and its value first, where it is about one that is there.

    Example:
        >>> _with_value("Expected `int` >= 1 - at `$.phases[1].crop`", {"phases": [{"crop": 64}, {"crop": 0}]})
        'phases[1].crop = 0 given: Expected `int` >= 1'
        >>> _with_value("Object missing required field `crop` - at `$.phases[0]`", {"phases": [{}]})
        'Object missing required field `crop` - at `$.phases[0]`'
    """
    match = PLACE.fullmatch(said)
    if match is None:
        return said
    found: Any = values
    for key in re.findall(r"\w+", match["place"]):
        try:
            found = found[int(key) if isinstance(found, list) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            return said
    return said if isinstance(found, dict) else f"{match['place']} = {found!r} given: {match['said']}"


def _found(path: Path | None, name: str) -> Path:
    """The file of a configuration: one of the user's, or a shipped one by its name."""
    if path is None:
        return SHIPPED / f"{name}.toml"
    shipped = SHIPPED / f"{path.stem}.toml"
    if path.name == str(path) and not path.is_file() and shipped.exists():
        return shipped
    if not path.exists():
        known = sorted(file.stem for file in SHIPPED.glob(f"{name}*.toml"))
        raise InputError(f"{path}: no such file; expected a configuration, or a shipped one: {', '.join(known)}")
    return path
