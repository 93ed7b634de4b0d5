"""Look-up of codecs, filters, generators, entropy models, metrics and backbones by name, through entry points.

Built-ins register in `pyproject.toml` exactly as a plugin would. Listing names imports nothing;
only `load` imports the module that an entry point names.
"""

from __future__ import annotations

import difflib
import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, get_args

from vitiq.errors import MissingDependencyError, PluginError, UnknownNameError, described

Group = Literal["codecs", "filters", "generators", "entropy_models", "metrics", "backbones"]
LISTED = ("codecs", "metrics")
"""Groups that a command lists."""


def _entries(group: Group) -> dict[str, EntryPoint]:
    return _found(group, tuple((place, _changed(place)) for place in sys.path))


@lru_cache(maxsize=32)
def _found(group: Group, places: tuple[tuple[str, int], ...]) -> dict[str, EntryPoint]:  # noqa: ARG001 - the key
    """Entry points of a group, asked for once as long as no folder of packages changes: that takes 20 ms a call."""
    return {entry.name: entry for entry in entry_points(group=f"vitiq.{group}")}


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
    if name not in entries:
        near = difflib.get_close_matches(name, entries, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(names(group))}"
        kind, listed = group[:-1].replace("_", " "), f" (vitiq {group} list shows all)" if group in LISTED else ""
        raise UnknownNameError(f"unknown {kind} {name!r}: {hint}{listed}")
    entry = entries[name]
    try:
        return entry.load()
    except MissingDependencyError:
        raise
    except Exception as error:
        raise PluginError(
            f"{group[:-1].replace('_', ' ')} {name!r} is registered as {entry.value!r} but cannot be loaded: {error}; "
            f"reinstall or remove the package that provides it"
        ) from error


def plugin_fault(error: BaseException) -> PluginError | None:
    """An unexpected exception as one that names the plug-in whose code raised it; None where no plug-in took part."""
    groups = [entry for group in get_args(Group) for entry in _entries(group).values()]
    roots = {entry.module.partition(".")[0]: entry for entry in groups if entry.module.partition(".")[0] != "vitiq"}
    trace, found = error.__traceback__, None
    while trace is not None:
        root = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        found = roots.get(root, found)
        trace = trace.tb_next
    if found is None:
        return None
    kind, package = found.group.partition(".")[2].removesuffix("s"), found.dist.name if found.dist else found.module
    return PluginError(
        f"{kind} {found.name!r} of the package {package} failed ({described(error)}); report it to its authors"
    )
