"""Build the report of a study from its folder: report.html with its images, table.md and table.tex."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vitiq.errors import InputError
from vitiq.files import write_changed
from vitiq.report.assets import FolderAssets, InlineAssets
from vitiq.report.model import Model, build_model
from vitiq.report.page import SINGLE_FILE_BUDGET, render
from vitiq.report.published import with_published
from vitiq.report.source import Study, read_study
from vitiq.report.tables import all_tables, answer_table
from vitiq.report.written import to_latex, to_markdown

SINGLE = "report-single.html"
"""The page with its images in it."""


def model_of(study: Study) -> Model:
    """The numbers of a study."""
    records = [record for record, _ in study.records]
    model = build_model(
        study.name, records, study.problems, study.missing, unfinished=study.unfinished, anchor=study.anchor
    )
    return with_published(model, study.published, study.anchor)


def read_model(out: Path, name: str | None = None) -> tuple[Study, Model]:
    """A study and its numbers, the last one if none is named.

    Raises:
        InputError: the folder holds no study, or none of its files is made yet.
    """
    study = read_study(out, name)
    model = model_of(study)
    if not model.records and study.missing:
        raise InputError(f"{out}: no finished task in this study, its tasks failed; the first: {study.missing[0]}")
    if not model.records:
        raise InputError(f"{out}: no finished task in this study; run the same command again, it resumes")
    return study, model


def build_report(out: Path, *, single_file: bool = False, step: Callable[[int, int], object] = lambda *_: None) -> Path:
    """Write the page with its images, and the tables as Markdown and LaTeX; returns the path of the page.

    Args:
        out: folder of a study.
        single_file: put the images into the page, within a budget, as `report-single.html`.
        step: called with the number of images beside the page that are made, and of all.

    Raises:
        InputError: the folder holds no study, or none of its files is made yet.
    """
    study, model = read_model(out)
    made = all_tables(model)
    write_changed(out / "table.md", "\n".join(to_markdown(table) for table in made).encode())
    write_changed(out / "table.tex", "\n".join(to_latex(table) for table in made).encode())
    if single_file:
        target = out / SINGLE
        write_changed(target, render(study, model, InlineAssets(out, SINGLE_FILE_BUDGET)).encode())
        return target
    assets = FolderAssets(out)
    page = render(study, model, assets)
    # The images first: a page never names one that is not there.
    assets.finish(step)
    target = out / "report.html"
    write_changed(target, page.encode())
    return target


def summary_table(out: Path, name: str | None = None) -> str:
    """The table that answers the question of a study, the last one if none is named, as Markdown for the terminal."""
    _, model = read_model(out, name)
    return to_markdown(answer_table(model))
