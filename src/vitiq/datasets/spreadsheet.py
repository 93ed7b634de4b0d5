"""The cells of one sheet of an .xlsx workbook as text: enough for a published table, without a dependency.

Office Open XML, ECMA-376 part 1, section 18.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from vitiq.errors import InputError

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
LARGEST = 64 * 2**20
"""Bytes of an unpacked part that are read at most."""


def read_sheet(path: Path, sheet: str) -> list[list[str]]:
    """Rows of a sheet; empty cells are "".

    Raises:
        InputError: no workbook, or no such sheet.
    """
    try:
        with zipfile.ZipFile(path) as book:
            shared = _shared(book)
            part = _part(book, sheet)
            return [_row(row, shared) for row in _tree(book, part).iter(f"{MAIN}row")]
    except (OSError, zipfile.BadZipFile, ElementTree.ParseError, KeyError) as error:
        raise InputError(f"{path}: not an .xlsx workbook with a sheet {sheet!r} ({error}); copy it again") from error


def _tree(book: zipfile.ZipFile, part: str) -> ElementTree.Element:
    if book.getinfo(part).file_size > LARGEST:
        raise KeyError(f"{part} is larger than {LARGEST} bytes")
    return ElementTree.fromstring(book.read(part))


def _shared(book: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    items = _tree(book, "xl/sharedStrings.xml").iter(f"{MAIN}si")
    return ["".join(text.text or "" for text in item.iter(f"{MAIN}t")) for item in items]


def _part(book: zipfile.ZipFile, sheet: str) -> str:
    links = {r.get("Id"): str(r.get("Target")) for r in _tree(book, "xl/_rels/workbook.xml.rels")}
    for entry in _tree(book, "xl/workbook.xml").iter(f"{MAIN}sheet"):
        if entry.get("name") == sheet:
            target = links[entry.get(LINK)]
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    raise KeyError(f"no sheet {sheet!r}")


def _row(row: ElementTree.Element, shared: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{MAIN}c"):
        letters = re.match(r"[A-Z]+", cell.get("r", ""))
        column = len(cells)
        if letters is not None:
            column = 0
            for letter in letters.group():
                column = column * 26 + ord(letter) - ord("A") + 1
            column -= 1
        cells += [""] * (column - len(cells))
        value = cell.find(f"{MAIN}v")
        text = "".join(t.text or "" for t in cell.iter(f"{MAIN}t")) if value is None else value.text or ""
        cells.append(shared[int(text)] if cell.get("t") == "s" else text)
    return cells
