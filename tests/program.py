"""The program as its user starts it, in the process of the tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from vitiq.cli.main import main


class Answer(NamedTuple):
    """What the program said and how it ended."""

    code: int | str | None
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Of standard error."""
        return self.err.splitlines()


Vitiq = Callable[..., Answer]


@pytest.fixture
def vitiq(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vitiq:
    """The program in this process, as its user starts it."""
    monkeypatch.delenv("VITIQ_DEBUG", raising=False)

    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["vitiq", *map(str, arguments)])
        code: int | str | None = 0
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code or 0
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Answer(code, said.out, said.err)

    return call
