"""The cells of one sheet of an .xlsx workbook as text, read by openpyxl."""

from __future__ import annotations

import zipfile
from pathlib import Path

from vitiq.errors import InputError, MissingDependencyError

LARGEST = 64 * 2**20
"""Bytes of an unpacked workbook that are read at most."""


def read_sheet(path: Path, sheet: str) -> list[list[str]]:
    """Rows of a sheet; empty cells are "".

    Raises:
        InputError: no workbook, or no such sheet.
        MissingDependencyError: openpyxl is not installed.
    """
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingDependencyError(f"{path}: a workbook needs openpyxl; run pip install 'vitiq[xlsx]'") from error
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > LARGEST:
            raise InputError(f"{path}: unpacks to {size:,} bytes, at most {LARGEST:,} are read; copy it again")
        book = load_workbook(path, read_only=True, data_only=True)
    except (OSError, zipfile.BadZipFile, SyntaxError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not an .xlsx workbook ({error}); copy it again") from error
    try:
        if sheet not in book.sheetnames:
            raise InputError(f"{path}: no sheet {sheet!r}, it has {', '.join(book.sheetnames)}; copy it again")
        rows = [["" if v is None else str(v) for v in row] for row in book[sheet].iter_rows(values_only=True)]
    except (SyntaxError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: damaged workbook ({error}); copy it again") from error
    finally:
        book.close()
    return rows
