"""`vitiq view` in a browser and over HTTP. Truth: what a person sees; the folder listed before and after."""

from __future__ import annotations

import errno
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from browsing import loaded, until
from report_studies import IMAGES, curves, equal_bytes, published
from vitiq.errors import InputError
from vitiq.report import server as module
from vitiq.report.server import ViewServer
from vitiq.report.source import Study
from vitiq.report.trial import Trial

Open = Callable[..., Any]


class Growing:
    """A run in progress: more of its records are there each time `grow` is called."""

    def __init__(self, whole: Study, shown: int) -> None:
        self.whole, self.shown = whole, shown

    def study(self, out: Path) -> Study:
        return replace(self.whole, records=self.whole.records[: self.shown])

    def progress(self, out: Path) -> tuple[int, int]:
        return self.shown, self.whole.planned

    def version(self, out: Path) -> str:
        return str(self.shown)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Growing:
    found = Growing(equal_bytes(tmp_path / "out"), 3)
    monkeypatch.setattr(module, "read_study", found.study)
    monkeypatch.setattr(module, "read_progress", found.progress)
    monkeypatch.setattr(module, "study_version", found.version)
    return found


@pytest.fixture
def server(run: Growing, tmp_path: Path) -> Iterator[ViewServer]:
    started = ViewServer(tmp_path / "out")
    thread = threading.Thread(target=started.serve_forever, daemon=True)
    thread.start()
    yield started
    started.shutdown()
    started.server_close()
    thread.join()


def test_a_port_in_use_and_a_full_disk_are_reported_as_such(
    server: ViewServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=f"port {server.server_port} given: .*; choose another with --port"):
        ViewServer(tmp_path / "out", server.server_port)

    def full() -> Trial:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "Trial", full)
    with pytest.raises(OSError, match="No space left on device"):
        ViewServer(tmp_path / "out").server_close()


@pytest.fixture
def opened(server: ViewServer, opened: Open) -> Open:
    """As everywhere; the pages are closed before the server, which would reset what they still ask for."""
    return opened


def ask(
    server: ViewServer, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.parametrize("port", [-1, 65_536, 70_000])
def test_a_port_that_no_machine_has_is_refused(run: Growing, tmp_path: Path, port: int) -> None:
    with pytest.raises(InputError, match=f"port {port} given, 0 to 65535 expected; choose another with --port"):
        ViewServer(tmp_path / "out", port)


def test_polls_count_a_study_once_and_never_read_it(
    server: ViewServer, run: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each poll read all records, and the polls of several pages did so at once."""
    counted: list[Path] = []

    def slow(out: Path) -> tuple[int, int]:
        counted.append(out)
        time.sleep(0.2)
        return run.progress(out)

    def read(out: Path) -> Study:
        raise AssertionError("a poll read the study")

    monkeypatch.setattr(module, "read_progress", slow)
    monkeypatch.setattr(module, "read_study", read)
    with ThreadPoolExecutor(8) as pool:
        answers = [json.loads(body) for _, body in pool.map(lambda _: ask(server, "/state?of=study"), range(8))]
    assert answers == [{"version": "3", "done": 3, "planned": 9}] * 8
    assert len(counted) == 1


def test_the_page_follows_a_run(opened: Open, server: ViewServer, run: Growing, shots: Path) -> None:
    page = opened(server.url)
    assert page.locator("#count").inner_text() == "3 of 3 files"
    until(page, "document.getElementById('live').textContent.includes('3 of 9')")
    page.locator("#filter").fill("avif")
    run.shown = 6
    until(page, "document.getElementById('count').textContent === '2 of 6 files'")
    assert page.locator(".lead tbody tr").count() > 1
    run.shown = 9
    until(page, "document.getElementById('live').textContent === ''")
    page.locator("#compare").scroll_into_view_if_needed()
    loaded(page)
    page.screenshot(path=shots / "view.png")


def test_a_run_that_has_no_file_yet_is_followed_too(opened: Open, server: ViewServer, run: Growing) -> None:
    run.shown = 0
    page = opened(server.url)
    assert page.locator("h1").inner_text() == "Nothing to compare yet"
    run.shown = 9
    until(page, "document.getElementById('count').textContent === '9 of 9 files'")
    assert "keeps the most meaning" in page.locator("h1").inner_text()


def test_a_published_curve_stays_as_chosen_while_codecs_come_in_before_it(
    opened: Open, server: ViewServer, run: Growing, tmp_path: Path
) -> None:
    run.whole = replace(curves(tmp_path / "out", images=1), published=published(), anchor="VTM")
    run.shown = 4  # of JPEG, the next are WebP's
    page = opened(server.url)
    vtm, label = "VTM [published]", "e => e.selectedOptions[0].text"
    page.locator("#metric").select_option(label="PSNR")
    page.locator("#anchor").select_option(label=vtm)
    page.locator("#key").get_by_label(vtm).uncheck()
    run.shown = 12
    until(page, "document.getElementById('count').textContent === '12 of 12 files'")
    page.locator("#bdtable tbody tr").nth(2).wait_for()
    assert page.locator("#anchor").evaluate(label) == vtm
    ticked = page.locator("#key label:has(input:checked)").all_inner_texts()
    assert ticked == ["JPEG", "WebP", "AVIF"]


def test_images_are_dropped_in(opened: Open, server: ViewServer, shots: Path) -> None:
    page = opened(server.url + "try")
    page.locator("#try-codec").select_option("jpeg")
    page.locator("#drop-a input").set_input_files(IMAGES / "graphic.png")
    until(page, "document.getElementById('count').textContent === '1 of 1 files'", 120)
    page.locator("#try-quality").focus()
    page.keyboard.press("Home")
    until(page, "document.getElementById('count').textContent === '2 of 2 files'", 120)
    sizes = page.evaluate("vitiq.data().records.map(r => r.b)")
    assert sizes[1] < sizes[0]
    assert set(page.evaluate("Object.keys(vitiq.data().records[1].ov)")) == {"ssim", "semantic", "attention"}
    page.locator("#drop-b input").set_input_files(IMAGES / "graphic.png")
    until(page, "document.getElementById('count').textContent === '3 of 3 files'", 120)
    assert page.evaluate("vitiq.data().records[2].s[vitiq.data().metrics.findIndex(m => m.key === 'psnr-rgb')]") == "∞"
    assert page.evaluate("vitiq.data().records[2].q") == "as given"
    page.locator("#drop-b input").set_input_files({"name": "<i>x.png", "mimeType": "image/png", "buffer": b"no image"})
    until(page, "document.getElementById('try-said').className === 'over'", 60)
    assert page.locator("#try-said i").count() == 0
    page.screenshot(path=shots / "try.png", full_page=True)


def test_only_what_was_handed_out_is_served(server: ViewServer, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    status, page = ask(server, "/")
    assert status == 200
    for path in (
        "/secret.txt",
        "/../secret.txt",
        "/image/../../secret.txt",
        "/image/%2e%2e%2fsecret.txt",
        f"/image/{tmp_path}/secret.txt",
        "/image/" + "0" * 24,
        "/out/report.html",
        "/state?of=elsewhere",
    ):
        status, body = ask(server, path)
        assert status == 404, path
        assert b"secret" not in body
    token = json.loads(page.decode().split('id="data">')[1].split("</script>")[0])["images"][0]["src"]
    status, body = ask(server, token)
    assert status == 200
    assert body.startswith(b"\x89PNG")


def test_a_link_out_of_the_folder_is_not_followed(server: ViewServer, run: Growing, tmp_path: Path) -> None:
    files = run.whole.records[0][1]
    assert files.reconstruction is not None
    secret = tmp_path / "secret.png"
    secret.write_bytes(files.reconstruction.read_bytes())
    files.reconstruction.unlink()
    files.reconstruction.symlink_to(secret)
    status, body = ask(server, "/content?of=study")
    assert status == 400
    assert b"outside the folder" in body


def test_a_run_is_not_slowed_by_those_who_watch_it(
    server: ViewServer, run: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REST", 1e6)
    monkeypatch.setattr(module, "LONGEST_REST", 1e6)
    shown = json.loads(ask(server, "/content")[1])["version"]
    run.shown = 6
    state = json.loads(ask(server, "/state")[1])
    assert (state["version"], state["done"]) == (shown, 6), "not shown anew yet, but counted"
    run.shown = 9
    assert json.loads(ask(server, "/state")[1])["version"] == "9", "a run that has ended is shown at once"


def test_a_codec_that_fails_is_an_answer(server: ViewServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by a plug-in")

    monkeypatch.setattr(server.trial, "encode", fail)
    status, answer = ask(server, "/encode?image=a&codec=b&quality=1", "POST", b"")
    assert status == 500
    assert json.loads(answer) == {"error": "ZeroDivisionError: by a plug-in"}


def test_other_sites_are_refused(server: ViewServer) -> None:
    assert ask(server, "/", Host="evil.example")[0] == 403
    assert ask(server, "/drop?name=x", "POST", b"x", Origin="http://evil.example")[0] == 403
    assert ask(server, "/drop?name=x", "POST", b"no image", Origin=server.url.rstrip("/"))[0] == 400
    assert ask(server, "/drop", "POST", b"", **{"Content-Length": "99999999999"})[0] == 413
    assert ask(server, "/other", "POST", b"")[0] == 404
    assert ask(server, "/encode?image=none&codec=jpeg&quality=x", "POST", b"")[0] == 400
    assert ask(server, "/", "PUT", b"")[0] == 501
    assert server.server_address[0] == "127.0.0.1"


def test_nothing_is_written_into_the_folder(server: ViewServer, tmp_path: Path) -> None:
    def listing() -> dict[str, int]:
        return {str(p): p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}

    before = listing()
    for path in ("/", "/try", "/state", "/content"):
        assert ask(server, path)[0] == 200
    data = json.loads(ask(server, "/content")[1])["data"]
    for record in data["records"]:
        for address in (record["src"], *record["ov"].values()):
            assert ask(server, address)[0] == 200
    thumbnails = re.findall(r'<img src="(/image/[0-9a-f]+)"', json.loads(ask(server, "/content")[1])["head"]["answer"])
    assert len(thumbnails) > 1
    for address in thumbnails:
        assert ask(server, address)[0] == 200
    assert listing() == before
