"""Work that ends its own process, for `test_killed_workers`: in a module, so that workers can find it."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from vitiq.codecs import folders as codec_folders
from vitiq.evaluation import inputs, scoring, series_sets, sets, validate
from vitiq.programs import run_program
from vitiq.temporary import temporary_folder

# As they are before a test replaces them.
_score_files, _read_rows, _read_inputs = scoring.score_files, sets.read_rows, inputs.read_inputs
_agreements, _encode_some, _rows_of_files = (
    validate._some_resampled,
    codec_folders._encode_some,
    series_sets.rows_of_files,
)

WHEN = "VITIQ_TEST_DEADLY"


def end() -> NoReturn:
    """The end of this process, at once."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def watch(paths: Sequence[Path]) -> None:
    """End where one of the files is deadly."""
    if any("deadly" in path.name for path in paths):
        end()


def squares(items: Sequence[int]) -> list[int]:
    if {5, 6, 29} & set(items):
        end()
    return [item * item for item in items]


def together(items: Sequence[int]) -> list[int]:
    """Too much for one worker where there are several."""
    if len(items) > 1:
        end()
    return list(items)


def inverses(items: Sequence[int]) -> list[float]:
    return [1 / item for item in items]


def program(note: Path) -> None:
    """A program that would run for a minute, in a temporary folder; the note has its number and the folder."""
    with temporary_folder() as folder:
        text = f'echo "$$ {folder}" > "{note}.part" && mv "{note}.part" "{note}" && exec sleep 60'
        run_program(["/bin/sh", "-c", text], folder, 90)


def score_files(pairs: Sequence[tuple[Path, Path]], metrics: Any, *, sets: bool = True) -> Any:
    watch([path for pair in pairs for path in pair])
    return _score_files(pairs, metrics, sets=sets)


def read_rows(paths: Sequence[Path], metrics: Any) -> Any:
    watch(paths)
    return _read_rows(paths, metrics)


def read_inputs(files: Sequence[tuple[Path, str]]) -> Any:
    watch([path for path, _ in files])
    return _read_inputs(files)


def agreements(resamples: int, items: Any) -> Any:
    """The first metric's own values stand for it: those that grow."""
    if len(items[0].values) == 40 and (items[0].values[1:] > items[0].values[:-1]).all():
        end()
    return _agreements(resamples, items)


def encode_some(items: Sequence[tuple[Path, Path]], **settings: Any) -> Any:
    watch([source for source, _ in items])
    return _encode_some(items, **settings)


def encode_some_and_end(items: Sequence[tuple[Path, Path]], **settings: Any) -> Any:
    """Files before a deadly one are there when the worker ends."""
    done = []
    for item in items:
        watch([item[0]])
        done += _encode_some([item], **settings)
    return done


def rows_of_files(spec: Any, paths: Sequence[Path]) -> Any:
    """Every worker ends, as long as the variable says so."""
    if os.environ.get(WHEN):
        end()
    return _rows_of_files(spec, paths)
