"""Semantic error maps of `vitiq score`: where each goes, and what may not be replaced by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vitiq.errors import InputError, disk_is_full

if TYPE_CHECKING:
    from vitiq.evaluation.metric_spec import MetricSpec
    from vitiq.evaluation.scoring import Scored

    Pair = tuple[Path, Path]


def targets_of(
    pairs: Sequence[Pair], maps: Path | None, folder: Path | None, inputs: Iterable[Path], problems: list[str]
) -> dict[Pair, Path]:
    """Where the map of each pair goes, without those that would take the place of an image.

    Args:
        maps: the folder of the maps; of two files, perhaps the map itself; None for no maps.
        folder: of the references; None where they are files.
        inputs: all images of both sides.
        problems: gets one line for each map that is left out.
    """
    from vitiq.files import identity_of  # noqa: PLC0415

    if maps is None:
        return {}
    if folder is not None:
        names = names_below([reference.relative_to(folder) for reference, _ in pairs])
        planned = dict(zip(pairs, (maps / name for name in names), strict=True))
    else:
        planned = {pair: maps if maps.suffix == ".png" else maps / f"{pair[0].stem}.png" for pair in pairs}
    known = {found: path for path in inputs if (found := identity_of(path)) is not None}
    targets = {}
    for pair, target in planned.items():
        taken = known.get(found) if (found := identity_of(target)) is not None else None
        if taken is None:
            targets[pair] = target
        else:
            problems.append(f"{pair[1]}: its map {target} is the input {taken}; give another folder with --map")
    return targets


def names_below(references: Iterable[Path]) -> list[Path]:
    """Names of maps: those of the references, with their suffix where two share a stem."""
    from vitiq.image.folders import pairing_key  # noqa: PLC0415

    taken: set[str] = set()
    names = []
    for below in references:
        name = below.with_suffix(".png")
        count = 1
        while pairing_key(str(name)) in taken:
            name = below.with_name(f"{below.name}{'' if count == 1 else f'-{count}'}.png")
            count += 1
        taken.add(pairing_key(str(name)))
        names.append(name)
    return names


def map_drawn(scored: Scored, target: Path, spec: MetricSpec, *, force: bool) -> list[str]:
    """Writes a pair's semantic error map; what went wrong, if anything.

    Raises:
        InputError: the disk is full, which all others would say too.
    """
    from vitiq.report.maps import draw_map  # noqa: PLC0415

    try:
        draw_map(scored.reference, scored.distorted, target, spec.backbone(), overwrite=force)
    except InputError as error:
        if disk_is_full(error):
            raise
        return [f"{scored.distorted}: {error}"]
    return []
