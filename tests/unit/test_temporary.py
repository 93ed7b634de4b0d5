"""Temporary files. Truth: what errno(3) says of full disks and quotas."""

from __future__ import annotations

import errno

import pytest

from vitiq.errors import InputError, disk_is_full, unwritable
from vitiq.temporary import named_for_a_while, temporary_folder


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded", "/tmp/vitiq-a/in.png"),
    ],
)
def test_a_full_disk_of_temporary_files_is_named_with_its_cure(error: OSError) -> None:
    for block in (temporary_folder(), named_for_a_while(b"abc", ".jpg")):
        with pytest.raises(InputError, match=r"no space for temporary files .*set TMPDIR") as raised, block:
            raise error
        assert disk_is_full(raised.value)
    with pytest.raises(InputError, match="TMPDIR"), temporary_folder() as folder:
        raise InputError(unwritable(folder / "in.png", error)) from error


def test_other_errors_pass_a_temporary_folder() -> None:
    with pytest.raises(PermissionError), temporary_folder():
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(InputError, match=r"^said$"), temporary_folder():
        raise InputError("said")


def test_no_place_for_temporary_files_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    with pytest.raises(InputError, match=r"no temporary file can be written .*TMPDIR"), temporary_folder():
        pass
