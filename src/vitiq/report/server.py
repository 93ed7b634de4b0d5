"""`vitiq view OUT`: the report on a loopback server that follows a run in progress and takes images dropped in.

It only reads OUT. No address names a path: images are asked for by tokens that the server itself has handed out, so
that nothing outside OUT can be reached. Requests of other web sites, under other host names or of other origins, are
refused. Dropped images and what is made of them are kept in a temporary folder until the server ends.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from vitiq.errors import InputError, VitiqError, described
from vitiq.evaluation.store import inside
from vitiq.image.io import read_image
from vitiq.report.assets import overlay_bytes, thumbnail
from vitiq.report.build import model_of
from vitiq.report.model import Model
from vitiq.report.page import contents, render
from vitiq.report.source import Study, read_progress, read_study, study_version
from vitiq.report.trial import LARGEST, Trial

Shown = TypeVar("Shown")
LOOPBACK = "127.0.0.1"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LAST_PORT = 65_535
PAGES = {"/": "study", "/try": "trial"}
REST, LONGEST_REST = 4.0, 10.0
"""A study in progress is shown anew after so many times as long as that took, seconds at most: the run needs the
processor more."""


@dataclass
class ServerAssets:
    """Hands out tokens of images inside some folders.

    Attributes:
        roots: folders whose files may be shown.
    """

    roots: tuple[Path, ...]
    known: dict[str, tuple[str, tuple[Path, ...]]] = field(default_factory=dict)

    def full(self, path: Path) -> str:
        """As `Assets`."""
        return self._token("full", path)

    def thumbnail(self, path: Path) -> str:
        """As `Assets`."""
        return self._token("thumb", path)

    def overlay(self, kind: str, *paths: Path) -> str:
        """As `Assets`."""
        return self._token(kind, *paths)

    def _token(self, kind: str, *paths: Path) -> str:
        real = tuple(inside(path, *self.roots).resolve() for path in paths)
        stamps = [f"{path}:{path.stat().st_mtime_ns}:{path.stat().st_size}" for path in real]
        token = hashlib.sha256("|".join([kind, *stamps]).encode()).hexdigest()[:24]
        self.known[token] = (kind, real)
        return f"/image/{token}"

    def read(self, token: str) -> tuple[bytes, str]:
        """Bytes and type of an image.

        Raises:
            KeyError: no such token was handed out.
        """
        kind, paths = self.known[token]
        if kind == "full":
            return paths[0].read_bytes(), "image/png"
        with _MAKING:
            return _made(kind, paths), "image/webp"


_MAKING = threading.Semaphore(2)
"""A browser asks for six images at once; memory is bounded by two."""


@lru_cache(maxsize=512)
def _made(kind: str, paths: tuple[Path, ...]) -> bytes:
    return thumbnail(read_image(paths[0])) if kind == "thumb" else overlay_bytes(kind, *paths)


class ViewServer(ThreadingHTTPServer):
    """The server of one folder.

    Args:
        out: folder of a study, finished or in progress.
        port: 0 for any that is free.

    Raises:
        InputError: there is no study, or the port cannot be had.
    """

    daemon_threads = True

    def __init__(self, out: Path, port: int = 0) -> None:
        if not 0 <= port <= LAST_PORT:
            raise InputError(f"port {port} given, 0 to {LAST_PORT} expected; choose another with --port")
        read_study(out)
        self.trial = Trial()  # which `server_close` closes: after a port that cannot be had, too
        try:
            super().__init__((LOOPBACK, port), Handler)
        except OSError as error:
            raise InputError(f"port {port} given: {error.strerror}; choose another with --port") from error
        self.out = out
        self.assets = ServerAssets((out, self.trial.folder))
        self._lock, self._counting = threading.Lock(), threading.Lock()
        self._shown, self._rested = "", 0.0
        self._counted = ("", 0, 0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """As the base class; a browser that leaves before its answer is whole is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{LOOPBACK}:{self.server_port}/"

    def server_close(self) -> None:
        """Stop, and forget what was dropped in."""
        super().server_close()
        self.trial.close()

    def study(self, which: str) -> tuple[Study, str]:
        """The study or the dropped images, and what changes when they do."""
        if which == "trial":
            return self.trial.study(), self.trial.version
        return read_study(self.out), study_version(self.out)

    def page(self, which: str) -> str:
        """The page as HTML."""
        with self._lock:
            study, version, model = self._model(which)
            panel = self.trial.panel() if which == "trial" else ""
            return self._timed(
                which, version, lambda: render(study, model, self.assets, live=which, version=version, panel=panel)
            )

    def content(self, which: str) -> dict[str, Any]:
        """What the page shows anew."""
        with self._lock:
            study, version, model = self._model(which)
            data, head = self._timed(which, version, lambda: contents(study, model, self.assets))
            return {"version": version, "data": data, "head": head}

    def _model(self, which: str) -> tuple[Study, str, Model]:
        study, version = self.study(which)
        return study, version, model_of(study)

    def _timed(self, which: str, version: str, make: Callable[[], Shown]) -> Shown:
        start = time.monotonic()
        made = make()
        end = time.monotonic()
        if which == "study":
            self._shown, self._rested = version, end + min(LONGEST_REST, REST * (end - start))
        return made

    def state(self, which: str) -> dict[str, Any]:
        """How far the run is, and the version that a page should show by now."""
        if which == "trial":
            study, version = self.study(which)
            return {"version": version, "done": len(study.records), "planned": study.planned}
        with self._counting:  # one at a time; not the lock of the pages, which take longer
            version = study_version(self.out)
            if version != self._counted[0]:
                self._counted = (version, *read_progress(self.out))
            _, done, planned = self._counted
        rests = done < planned and time.monotonic() < self._rested
        return {"version": self._shown if rests else version, "done": done, "planned": planned}


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: ViewServer
    server_version = "vitiq"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """Pages, their data and their images."""
        url = urlsplit(self.path)
        which = parse_qs(url.query).get("of", ["study"])[0]
        if url.path in PAGES:
            self._answer(lambda: (self.server.page(PAGES[url.path]).encode(), "text/html; charset=utf-8"))
        elif url.path in {"/state", "/content"} and which in PAGES.values():
            act = self.server.state if url.path == "/state" else self.server.content
            self._answer(lambda: (_json(act(which)), "application/json"))
        elif url.path.startswith("/image/"):
            self._answer(lambda: self.server.assets.read(url.path.removeprefix("/image/")), keep=True)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")

    def do_POST(self) -> None:
        """A dropped image, or a file to make of one."""
        url = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(url.query).items()}
        origin = self.headers.get("Origin")
        length = self.headers.get("Content-Length", "")
        if origin is not None and urlsplit(origin).netloc != self.headers.get("Host"):
            self._refuse(HTTPStatus.FORBIDDEN, "asked by another site")
        elif not length.isdecimal():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "no length given")
        elif int(length) > LARGEST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {LARGEST // 1_000_000} MB are taken")
        else:
            data = self.rfile.read(int(length))
            trial = self.server.trial
            acts: dict[str, Callable[[], object]] = {
                "/drop": lambda: trial.add(given.get("name", "image"), data),
                "/pair": lambda: trial.pair(given.get("name", "image"), data, given.get("with", "")),
                "/encode": lambda: trial.encode(
                    given.get("image", ""), given.get("codec", ""), float(given.get("quality", "nan"))
                ),
            }
            if url.path in acts:
                self._answer(lambda: (_json(acts[url.path]()), "application/json"))
            else:
                self._refuse(HTTPStatus.NOT_FOUND, "no such action")

    def parse_request(self) -> bool:
        """As the base class; refuses host names that are not this machine's (another site's name pointed at it)."""
        if not super().parse_request():
            return False
        allowed = {f"{name}:{self.server.server_port}" for name in (LOOPBACK, "localhost")}
        if self.headers.get("Host") in allowed:
            return True
        self._refuse(HTTPStatus.FORBIDDEN, "only this machine is answered")
        return False

    def _answer(self, make: Callable[[], tuple[bytes, str]], *, keep: bool = False) -> None:
        try:
            data, kind = make()
        except KeyError:
            self._refuse(HTTPStatus.NOT_FOUND, "no such image")
        except (VitiqError, ValueError) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except OSError as error:
            self._refuse(HTTPStatus.NOT_FOUND, f"cannot be read: {error.strerror}")
        except Exception as error:  # a plug-in's own: the page says it instead of waiting for an answer
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, described(error))
        else:
            self._send(HTTPStatus.OK, data, kind, "max-age=3600, immutable" if keep else "no-store")

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True
        self._send(status, _json({"error": why}), "application/json", "no-store")

    def _send(self, status: HTTPStatus, data: bytes, kind: str, cache: str) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Cache-Control": cache}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal shows the address only."""


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
