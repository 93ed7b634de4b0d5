"""Options of codecs and filters: a frozen dataclass, one field an option, from which commands and docs are made.

    @dataclass(frozen=True, kw_only=True)
    class Options:
        speed: int = option(4, "0 (slowest) to 10", low=0, high=10)
        tune: Literal["psnr", "ssim"] | None = option(None, "what the encoder is tuned for")

Values may come as text, as from a command line; they are read by the field's type: str, int, float, bool, Path,
Literal, or one of these with None, which is written as none.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from vitiq.errors import PluginError, SettingError, near_names

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """A codec without options."""


def option(
    default: T, help: str, *, low: float | None = None, high: float | None = None, names: str | None = None
) -> T:
    """A field of an options dataclass.

    Args:
        help: what it does, a phrase for the command's help.
        low, high: smallest and largest legal number.
        names: group of `vitiq.registry` whose names, those of plug-ins too, are among its values.
    """
    result: T = field(default=default, metadata={"help": help, "low": low, "high": high, "names": names})
    return result


def device_option() -> str:
    """The field `device: str` of a codec or filter whose networks can run on a GPU.

    `--device` of the commands sets it. It is no part of labels, nor of identities but where bytes may change.
    """
    help = "where its networks run: cpu, cuda, cuda:1, …, or auto; entropy coding stays on the CPU"
    result: str = field(default="cpu", metadata={"help": help, "low": None, "high": None, "device": True})
    return result


def device_fields(kind: Any) -> list[str]:
    """Names of the fields of options that `device_option` made: one, or none."""
    return [item.name for item in fields(kind) if item.metadata.get("device")]


def device_of(options: Any) -> str:
    """The device that options name; the CPU where they name none."""
    return next((str(getattr(options, name)) for name in device_fields(options)), "cpu")


def settings(options: Any) -> dict[str, object]:
    """The options by name, but for the device: those that a label or an identity is made of."""
    return {item.name: getattr(options, item.name) for item in fields(options) if not item.metadata.get("device")}


def make_options(kind: type[T], given: Mapping[str, object], owner: str) -> T:
    """Options of `kind` with the values given, checked.

    Args:
        owner: whose options they are, for messages ("codec jpeg").

    Raises:
        SettingError: an unknown option, or an illegal value; lists what is legal.
        PluginError: an option of a type that could never be set.
    """
    known: dict[str, Field[Any]] = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    unknown = [name for name in given if name not in known]
    if unknown:
        near = near_names(unknown[0], known, most=1)
        legal = f"it takes {', '.join(known)}" if known else "it takes none"
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise SettingError(f"{owner} does not take the option {', '.join(unknown)}{meant}; {legal}")
    hints = get_type_hints(kind)
    if unreadable := [f"{name}: {hints[name]}" for name in known if not _is_readable(hints[name])]:
        raise PluginError(
            f"{owner} has options of types that no text can be read as ({', '.join(unreadable)}); str, int, float, "
            "bool, Path and Literal expected, alone or with None; report it to its authors"
        )
    values = {name: read_value(value, hints[name], known[name], owner) for name, value in given.items()}
    return kind(**values)


def choices(hint: object) -> tuple[object, ...]:
    """Legal values of a type of a few literals, None left out; () for other types."""
    if get_origin(hint) is Literal:
        return tuple(value for value in get_args(hint) if value is not None)
    if get_origin(hint) in {Union, types.UnionType}:
        return tuple(value for part in get_args(hint) for value in choices(part))
    return ()


def read_value(value: object, hint: object, item: Field[Any], owner: str) -> object:
    """A value as its field's type has it; text is read.

    Raises:
        SettingError: it is of another type, or not a legal value.
    """
    parts = _parts(hint)
    if type(None) in parts and str(value).lower() == "none" and str(value) not in map(str, choices(hint)):
        return None
    for kind in (part for part in parts if part is not type(None)):
        found = _as(value, kind)
        if found is not None and _within(found, item) and (found != "" or item.default == ""):
            return found
    given = "given without a value" if value == "" else f"is {value!r}"
    raise SettingError(f"{owner}: option {item.name} {given}, expected {_expected(parts, item)}")


def _parts(hint: object) -> tuple[object, ...]:
    """The types of a union; of another type, that alone."""
    return get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)


def _is_readable(hint: object) -> bool:
    return all(
        part in {str, int, float, bool, Path, type(None)} or get_origin(part) is Literal for part in _parts(hint)
    )


def _as(value: object, kind: object) -> object:
    """The value as one type; None where it is none."""
    if get_origin(kind) is Literal:
        return {str(legal): legal for legal in get_args(kind)}.get(str(value))
    if kind is bool:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).lower())
    if kind is Path:
        return Path(value) if isinstance(value, str | Path) and value != "" else None
    return str(value) if kind is str else _number(value, kind)


def _number(value: object, kind: object) -> int | float | None:
    if isinstance(value, bool) or kind not in {int, float}:
        return None
    try:
        if kind is int and str(value).lstrip("+-").isdecimal():
            return int(str(value))  # a seed of twenty digits is no double
        number = float(str(value))
    except ValueError:
        return None
    if not math.isfinite(number) or (kind is int and number != int(number)):
        return None
    return int(number) if kind is int else number


def _within(value: object, item: Field[Any]) -> bool:
    low, high = item.metadata.get("low"), item.metadata.get("high")
    if not isinstance(value, (int, float)):
        return True
    return (low is None or value >= low) and (high is None or value <= high)


def _expected(parts: tuple[object, ...], item: Field[Any]) -> str:
    named = [str(value) for part in parts for value in choices(part)]
    if named:
        return f"one of {', '.join(named)}"
    low, high = item.metadata.get("low"), item.metadata.get("high")
    words = {int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}
    text = next((words[part] for part in parts if part in words), "text")
    text += "" if low is None else f" from {low}"
    return text + ("" if high is None else f" to {high}")


def changed_options(options: Any, usual: Any = None) -> str:
    """The options that differ from their default, as they are written: " [tune=psnr]"; "" for none.

    Args:
        usual: options with other defaults than those of the class.
    """
    defaults = {item.name: item.default if usual is None else getattr(usual, item.name) for item in fields(options)}
    changed = [f"{name}={value}" for name, value in settings(options).items() if value != defaults[name]]
    return f" [{', '.join(changed)}]" if changed else ""
