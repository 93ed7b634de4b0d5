"""Look-up of codecs, filters, generators, entropy models, metrics and backbones by name, through entry points.

Built-ins register in `pyproject.toml` exactly as a plugin would. Listing names imports nothing;
only `load` imports the module that an entry point names.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, Literal, get_args

from vitiq.errors import (
    InputError,
    MissingDependencyError,
    PluginError,
    UnknownNameError,
    VitiqError,
    described,
    near_names,
)
from vitiq.foreign import RAISED, guarded, is_ours

log = logging.getLogger("vitiq")
log.addHandler(logging.NullHandler())

Group = Literal["codecs", "filters", "generators", "entropy_models", "metrics", "backbones"]
_WRITABLE = re.compile(r"[\w.-]+")
"""Names that the notation of codecs and metrics takes."""
LISTED = ("codecs", "metrics")
"""Groups that a command lists."""


def _entries(group: Group) -> dict[str, EntryPoint]:
    return {name: entries[-1] for name, entries in _packages(group).items()}


def _packages(group: Group) -> dict[str, list[EntryPoint]]:
    """Entry points of a group by name, vitiq's own last.

    A plug-in that takes a name of its would else change what a study measures, without a word.
    """
    return _found(group, tuple((place, _changed(place)) for place in sys.path))


@lru_cache(maxsize=32)
def _found(group: Group, places: tuple[tuple[str, int], ...]) -> dict[str, list[EntryPoint]]:  # noqa: ARG001 - the key
    """Asked for once as long as no folder of packages changes: that takes 20 ms a call."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in sorted(entry_points(group=f"vitiq.{group}"), key=_of_vitiq):
        found.setdefault(entry.name, []).append(entry)
    return found


def _parts(entry: EntryPoint) -> tuple[str, str]:
    """Module and name; `entry.module` and `entry.attr` raise AttributeError for what is none, as `my-codec:Mine`."""
    module, _, name = entry.value.partition("[")[0].partition(":")
    return module.strip(), name.strip()


def _module(entry: EntryPoint) -> str:
    return _parts(entry)[0]


def _of_vitiq(entry: EntryPoint) -> bool:
    return is_ours(_module(entry))


def _checked(group: Group, entry: EntryPoint) -> EntryPoint:
    """The entry point of a name; which of two packages it means would depend on the order of folders.

    Raises:
        PluginError: two packages register it, and neither is vitiq.
    """
    others = _packages(group).get(entry.name, [])
    if not _of_vitiq(entry) and len({other.value for other in others}) > 1:
        kind = group[:-1].replace("_", " ")
        raise PluginError(f"{kind} {entry.name!r} is registered by {_owners(others)}; remove one of these packages")
    if taken := [other for other in others if _of_vitiq(entry) and not _of_vitiq(other)]:
        _say_not_used(group, entry.name, _owners(taken))
    return entry


def package(group: Group, name: str) -> tuple[str, str] | None:
    """Name and version of the package that a plug-in comes from; None for vitiq's own, and for what none registers."""
    entry = _entries(group).get(name)
    return None if entry is None or _of_vitiq(entry) or entry.dist is None else (entry.dist.name, entry.dist.version)


def plugins(group: Group) -> tuple[str, ...]:
    """Registered names that are not vitiq's own, sorted. Imports nothing."""
    return tuple(name for name in names(group) if not _of_vitiq(_entries(group)[name]))


@lru_cache(maxsize=256)
def _say_not_used(group: Group, name: str, owners: str) -> None:
    """That a plug-in has a name of vitiq's, once a process; workers leave it to the process that started them."""
    if parent_process() is None:
        kind = group[:-1].replace("_", " ")
        log.warning("%s %r of %s is not used, as vitiq has one of that name; rename it there", kind, name, owners)


def _owners(entries: Iterable[EntryPoint]) -> str:
    return " and ".join(sorted({entry.dist.name if entry.dist else _module(entry) for entry in entries}))


def _changed(place: str) -> int:
    """When a package was last installed in or removed from a folder; 0 for none."""
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return 0


def names(group: Group) -> tuple[str, ...]:
    """Registered names of a group, sorted. Imports nothing."""
    return tuple(sorted(_entries(group)))


def load(group: Group, name: str) -> Any:
    """The object registered under `name`: a class, or of backbones a function.

    Raises:
        UnknownNameError: nothing is registered under `name`; the message lists near matches.
        PluginError: the registered object cannot be imported.
    """
    entries = _entries(group)
    if not any(map(_of_vitiq, entries.values())) and group in LISTED:
        raise UnknownNameError(
            f"no {group} are registered, as vitiq is not installed in this Python: pip install vitiq"
        )
    if name not in entries:
        near = near_names(name, entries, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(names(group))}"
        kind, listed = group[:-1].replace("_", " "), f" (vitiq {group} list shows all)" if group in LISTED else ""
        raise UnknownNameError(f"unknown {kind} {name!r}: {hint}{listed}")
    entry = _checked(group, entries[name])
    if not _WRITABLE.fullmatch(name):
        raise PluginError(
            f"{group[:-1].replace('_', ' ')} {name!r} of {_owners([entry])} has a name that cannot be written on a "
            "command line, letters, digits and the signs . _ - expected; mend its entry points, or remove the package"
        )
    if not entry.pattern.match(entry.value):
        raise PluginError(
            f"{group[:-1].replace('_', ' ')} {name!r} is registered as {entry.value!r}, MODULE:NAME expected; "
            f"mend the entry points of {_owners([entry])}, or remove it"
        )
    try:
        with guarded(_module(entry)):
            found = entry.load()
    except MissingDependencyError:
        raise
    except RAISED as error:
        said = str(error) if isinstance(error, ImportError) else described(error)
        raise PluginError(
            f"{group[:-1].replace('_', ' ')} {name!r} is registered as {entry.value!r} but cannot be loaded: {said}; "
            f"reinstall or remove the package that provides it"
        ) from error
    wrong = _lacking(group, name, found)
    if wrong:
        raise PluginError(
            f"{group[:-1]} {name!r} is registered as {entry.value!r}, which {wrong}; report it to its authors, or "
            "remove the package that provides it"
        )
    return found


def make(group: Group, name: str, /, **given: Any) -> Any:
    """An object of the class registered under `name`.

    Args:
        given: what its user set.

    Raises:
        UnknownNameError, PluginError: as `load`; or a plug-in's constructor failed.
        InputError: it refused what was given.
    """
    factory = load(group, name)
    try:
        with guarded(factory.__module__):
            return factory(**given)
    except RAISED as error:
        if isinstance(error, VitiqError) or is_ours(factory.__module__):
            raise
        kind, whose = group[:-1].replace("_", " "), f"it comes from the plug-in {factory.__module__}"
        values = ", ".join(f"{key}={value}" for key, value in given.items() if isinstance(value, str | int | float))
        if values and isinstance(error, ValueError):
            raise InputError(f"{kind} {name} does not take {values} ({described(error)}); {whose}") from error
        raise PluginError(f"{kind} {name} cannot be made ({described(error)}); {whose}") from error


def _lacking(group: Group, name: str, found: Any) -> str | None:
    """What keeps a registered object from being one of its group: then no command may meet it."""
    if group not in {"codecs", "metrics", "filters"}:
        return None if callable(found) else "cannot be called"
    if not isinstance(found, type):
        return "is no class"
    if missing := unstated(group, found):
        return f"lacks {', '.join(missing)}"
    suffix = getattr(found, "extension", ".")
    if not (isinstance(suffix, str) and suffix.startswith(".")):
        return f"has the extension {suffix!r}, one with a dot ('.{suffix}') expected"
    own = getattr(found, "name", name)
    return None if own == name else f"calls itself {own!r}"


def unstated(group: Group, found: Any) -> list[str]:
    """What the contract of a group asks for and a class, or an object of one, does not have.

    An object has made its own attributes too, such as the name of a metric with a parameter.
    """
    made = not isinstance(found, type)
    kind = type(found) if made else found
    stated = {
        item
        for base in kind.__mro__
        if base.__module__ == f"vitiq.{group}.base"
        for item, form in vars(base).get("__annotations__", {}).items()
        if (made or str(form).startswith(("ClassVar", "typing.ClassVar"))) and not hasattr(found, item)
    }
    return sorted(stated | getattr(kind, "__abstractmethods__", frozenset()))


def plugin_fault(error: BaseException) -> PluginError | None:
    """An unexpected exception as one that names the plug-in whose code raised it; None where no plug-in took part."""
    foreign = [entry for group in get_args(Group) for entry in _entries(group).values() if not is_ours(_module(entry))]
    trace, found, named = error.__traceback__, [], None
    while trace is not None:
        root = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        own = [entry for entry in foreign if _module(entry).partition(".")[0] == root]
        if own:
            objects = {type(trace.tb_frame.f_locals.get("self")).__name__, trace.tb_frame.f_code.co_name}
            found, named = own, next((entry for entry in own if _parts(entry)[1] in objects), named)
        trace = trace.tb_next
    if not found:
        return None
    dist = found[0].dist
    who = f"the package {dist.name if dist else _module(found[0])}"
    if named is not None or len(found) == 1:
        entry = named or found[0]
        who = f"{entry.group.partition('.')[2].removesuffix('s').replace('_', ' ')} {entry.name!r} of {who}"
    return PluginError(f"{who} failed ({described(error)}); report it to its authors")
