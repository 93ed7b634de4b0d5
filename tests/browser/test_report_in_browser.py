"""The report in a real browser. Truth: what a person does and sees, read back from the page's geometry and pixels."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest
from PIL import Image

from browsing import loaded, until
from report_studies import curves, equal_bytes, with_many_metrics
from vitiq.report.assets import FolderAssets, InlineAssets
from vitiq.report.model import build_model
from vitiq.report.page import render

Open = Callable[..., Any]


def state(page: Any) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("vitiq.viewer.state")
    return found


def transforms(page: Any) -> list[str]:
    found: list[str] = page.evaluate("[...document.querySelectorAll('.pix')].map(e => e.style.transform)")
    return found


def pixels(locator: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)


def compare(page: Any, mode: str = "Slider") -> Any:
    page.locator("#compare").scroll_into_view_if_needed()
    page.get_by_role("button", name=mode, exact=True).click()
    loaded(page)
    return page.locator(".stage")


def test_the_slider_follows_mouse_and_keyboard(opened: Open, equal_page: str) -> None:
    page = opened(equal_page)
    stage = compare(page)
    box = stage.locator(".view").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 40)
    page.mouse.up()
    assert state(page)["s"] == pytest.approx(0.25, abs=0.01)
    assert "75" in page.locator(".layer").nth(1).evaluate("e => e.style.clipPath")
    stage.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert state(page)["s"] == pytest.approx(0.35, abs=0.011)
    assert page.get_by_role("slider", name="Share of the left image").get_attribute("aria-valuenow") == "35"


def test_a_finger_moves_the_slider_and_two_zoom(opened: Open, equal_page: str) -> None:
    page = opened(equal_page, width=390, height=844, has_touch=True, is_mobile=True)
    stage = compare(page)
    box = stage.locator(".view").bounding_box()
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": n}
            for n, (x, y) in enumerate(points)
        ]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", (0.6, 0.5))
    touch("touchMove", (0.3, 0.5))
    touch("touchEnd")
    assert state(page)["s"] == pytest.approx(0.3, abs=0.02)
    touch("touchStart", (0.45, 0.5), (0.55, 0.5))
    touch("touchMove", (0.25, 0.5), (0.75, 0.5))
    touch("touchEnd")
    assert state(page)["z"] > 2


def test_flicker_shows_the_other_image_at_the_same_place(opened: Open, equal_page: str) -> None:
    page = opened(equal_page)
    stage = compare(page)
    view = stage.locator(".layer").nth(0)
    page.evaluate("() => document.querySelectorAll('.handle,.tag').forEach(e => e.style.display = 'none')")
    stage.focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    left = pixels(view)
    place = transforms(page)
    page.keyboard.press("f")
    right = pixels(view)
    assert np.abs(left - right).mean() > 1
    assert transforms(page) == place
    assert page.get_by_role("button", name="Flicker", exact=False).get_attribute("aria-pressed") == "true"
    page.keyboard.press("f")
    assert np.abs(pixels(view) - left).max() == 0


def test_panes_zoom_and_pan_in_step_with_square_pixels(opened: Open, equal_page: str, shots: Path) -> None:
    page = opened(equal_page)
    stage = compare(page, "Side by side")
    page.get_by_role("button", name="Add a pane").click()
    assert page.locator(".view").count() == 3
    assert page.locator(".meta").count() == 3
    stage.focus()
    for _ in range(6):
        page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    places = transforms(page)
    assert len(places) == 3
    assert len(set(places)) == 1
    assert state(page)["z"] > 8
    assert page.locator(".pix img").first.evaluate("e => getComputedStyle(e).imageRendering") == "pixelated"
    page.screenshot(path=shots / "panes-zoomed.png")
    box = page.locator(".view").nth(1).bounding_box()
    before = state(page)["x"]
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 60)
    page.mouse.up()
    assert state(page)["x"] > before
    assert len(set(transforms(page))) == 1
    page.keyboard.press("1")
    assert page.get_by_label("Zoom", exact=True).inner_text() == "100 %"


@pytest.mark.parametrize("kind", ["diff", "ssim", "semantic", "attention"])
def test_overlays_change_what_is_seen(opened: Open, equal_page: str, kind: str, shots: Path) -> None:
    page = opened(equal_page)
    stage = compare(page, "Side by side")
    page.evaluate("() => vitiq.viewer.open(['o', vitiq.data().records.findIndex(r => r.ov.semantic)], 'grid')")
    page.wait_for_timeout(700)
    view = stage.locator(".view").nth(1)
    plain = pixels(view)
    page.get_by_label("Overlay", exact=True).select_option(kind)
    loaded(page)
    shown = pixels(view)
    assert np.abs(plain - shown).mean() > 3
    assert len(page.locator(".legend").inner_text()) > 20
    page.screenshot(path=shots / f"overlay-{kind}.png")


def test_the_difference_is_the_images_difference_times_eight(opened: Open, equal_page: str, tmp_path: Path) -> None:
    page = opened(equal_page)
    compare(page, "Side by side")
    page.get_by_label("Overlay", exact=True).select_option("diff")
    page.get_by_role("button", name="One image pixel a screen pixel (1)").click()
    page.evaluate("() => document.querySelectorAll('.tag').forEach(e => e.style.display = 'none')")
    sources = page.evaluate("[...document.querySelectorAll('.view:nth-child(2) .pix img')].map(i => i.src)")
    rebuilt, original = (
        np.asarray(Image.open(source.removeprefix("file://")).convert("RGB")).astype(int) for source in sources
    )
    expected = np.minimum(255, np.abs(rebuilt - original) * 8)
    place = page.evaluate("(({a, e, f}) => [a, e, f])(new DOMMatrix(document.querySelector('.pix').style.transform))")
    assert place[0] == pytest.approx(1)
    left, top = round(place[1]), round(place[2])
    shown = pixels(page.locator(".view").nth(1))
    # a screenshot of an element that begins between two pixels is moved by one
    moved = [shown[top + y : top + y + 120, left + x : left + x + 160] for y in (-1, 0, 1) for x in (-1, 0, 1)]
    assert min(np.abs(piece - expected).max() for piece in moved) <= 8


def test_labels_of_original_and_reconstruction_stand_side_by_side(opened: Open, equal_page: str) -> None:
    page = opened(equal_page)
    compare(page)
    page.get_by_text("Labels: tabby → tabby").click()
    boxes = [cell.bounding_box() for cell in page.locator(".meta table.small tbody tr").first.locator("td").all()]
    assert len(boxes) == 3
    assert len({box["y"] for box in boxes}) == 1
    assert [box["x"] for box in boxes] == sorted(box["x"] for box in boxes)
    assert "0.650" in page.locator(".meta table.small tbody tr").first.inner_text()


def test_next_and_previous_image_keep_the_codec(opened: Open, equal_page: str) -> None:
    page = opened(equal_page)
    stage = compare(page)
    codec = page.evaluate("vitiq.data().records[vitiq.viewer.state.p[1]].c")
    first = state(page)["i"]
    stage.focus()
    page.keyboard.press("n")
    assert state(page)["i"] == (first + 1) % 3
    assert page.evaluate("vitiq.data().records[vitiq.viewer.state.p[1]].c") == codec
    page.keyboard.press("p")
    assert state(page)["i"] == first


def test_a_view_can_be_sent_as_an_address(opened: Open, equal_page: str) -> None:
    page = opened(equal_page)
    stage = compare(page, "Side by side")
    stage.focus()
    for key in ("n", "+", "+", "ArrowRight", "d"):
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    address, sent = page.url, state(page)
    assert "#i=" in address
    other = opened(address)
    got = state(other)
    assert {k: got[k] for k in ("i", "p", "m", "d")} == {k: sent[k] for k in ("i", "p", "m", "d")}
    assert [got[k] for k in "zxy"] == pytest.approx([sent[k] for k in "zxy"], abs=0.01)
    damaged = opened(equal_page + "#i=no-such&p=,,&z=1e999")
    assert state(damaged)["z"] == 1


def test_the_scrubber_goes_through_the_search(opened: Open, equal_page: str) -> None:
    page = opened(equal_page)
    compare(page)
    slider = page.locator(".scrub input")
    before = page.locator(".pix img").first.get_attribute("src")
    slider.focus()
    page.keyboard.press("Home")
    assert "iteration 0" in page.locator(".scrub output").inner_text()
    assert page.locator(".pix img").first.get_attribute("src") != before


def test_from_the_curve_to_the_image(opened: Open, curve_page: str, shots: Path) -> None:
    page = opened(curve_page)
    page.locator("#metric").select_option(label="PSNR")
    page.locator("#which").select_option("piece-02.png")
    chart = page.locator("#plot")
    chart.scroll_into_view_if_needed()
    chart.focus()
    page.keyboard.press("ArrowRight")
    text = page.locator("#tip").inner_text()
    assert "piece-02.png" in text
    assert "quality" in text
    page.screenshot(path=shots / "curves.png")
    tip = page.locator("#tip").bounding_box()
    box = chart.bounding_box()
    # the point lies 14 pixels left of and above its words
    page.mouse.move(tip["x"] - 14, tip["y"] - 14)
    page.mouse.click(tip["x"] - 14, tip["y"] - 14)
    assert box is not None
    assert state(page)["i"] == 2
    chosen = page.evaluate("vitiq.data().records[vitiq.viewer.state.p[1]].b")
    assert f"{chosen:,} bytes" in text


def test_codecs_are_chosen_and_the_table_of_points_follows(opened: Open, curve_page: str) -> None:
    page = opened(curve_page)
    page.get_by_text("The chart in numbers").click()
    rows = page.locator("#points tbody tr")
    rows.nth(11).wait_for()  # built when it comes near
    assert rows.count() == 12
    page.locator("#key").get_by_label("JPEG").uncheck()
    assert rows.count() == 8
    page.locator("#axis").select_option("bytes")
    assert page.locator("#bdtable tbody tr").count() == 2
    page.locator("#anchor").select_option(label="AVIF")
    assert "JPEG" in page.locator("#bdtable tbody").inner_text()


def test_published_curves_are_drawn_and_compared_and_have_no_files(
    opened: Open, published_page: str, shots: Path
) -> None:
    page = opened(published_page)
    vtm, theirs = "VTM <b>& [published]", "Theirs [published]"
    page.get_by_text("The chart in numbers").click()
    rows, anchor = page.locator("#points tbody tr"), page.locator("#anchor")
    rows.nth(20).wait_for()
    assert rows.filter(has_text=vtm).count() == 5
    assert page.locator("#key label").all_inner_texts() == ["JPEG", "WebP", "AVIF", vtm, theirs]
    assert page.locator("#published").is_visible()
    assert anchor.evaluate("e => e.selectedOptions[0].text") == vtm
    assert page.locator("#bdtable tbody tr").count() == 4
    assert "published mean of 'kodak'" in page.locator("#bdwhy").inner_text()
    page.locator("#curves").screenshot(path=shots / "published.png")
    # a metric that they lack, and back
    page.locator("#metric").select_option(label="SSIM")
    assert rows.count() == 12
    assert anchor.locator("option").all_inner_texts() == ["JPEG", "WebP", "AVIF"]
    anchor.select_option(label="AVIF")
    page.locator("#metric").select_option(label="PSNR")
    assert anchor.evaluate("e => e.selectedOptions[0].text") == "AVIF"
    assert page.locator("#bdtable tbody").inner_text().count("[published]") == 2
    # of one image the table of images alone has points, and no published point opens a file
    page.locator("#which").select_option("piece-01.png")
    assert (rows.count(), rows.filter(has_text=theirs).count()) == (16, 4)
    for name in ("JPEG", "WebP", "AVIF"):
        page.locator("#key").get_by_label(name, exact=True).uncheck()
    before, chart = state(page), page.locator("#plot")
    page.locator("#dots").uncheck()
    chart.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#tip").inner_text().startswith(theirs)
    assert "click" not in page.locator("#tip").inner_text()
    page.keyboard.press("Enter")
    assert state(page) == before
    page.locator("#axis").select_option("bytes")
    assert rows.count() == 0
    assert page.locator("#compare optgroup").evaluate_all("all => all.map(e => e.label)").count(theirs) == 0
    assert page.locator("#count").inner_text() == "36 of 36 files"


def test_numbers_are_written_as_in_the_tables(opened: Open, curve_page: str) -> None:
    """Truth: Python's own formatting. Halves (means of bytes) go to the even digit; 41.55 is none in binary."""
    page = opened(curve_page)
    rng = np.random.default_rng(5)
    values = [0.5, 1.5, 2.5, 1234.5, 1235.5, 0.125, 0.375, 41.55, 41.65, -41.65, 0.575, 1.005, -0.04, 1e7, 0.0, -2.5]
    values += [float(v) + 0.0 for v in (rng.normal(size=200) * 10.0 ** rng.integers(-3, 6, 200)).round(4)]
    cases = [[value, places] for value in values for places in range(5)]
    assert page.evaluate("cases => cases.map(([v, p]) => vitiq.text(v, p))", cases) == [
        f"{value:,.{places}f}".replace("-", "−") for value, places in cases
    ]


def test_bd_rates_are_those_of_the_first_screen(opened: Open, curve_page: str) -> None:
    """One comparison had two values on one page (-41.6 and -41.7), since it was rounded twice."""
    page = opened(curve_page)
    lead = page.locator("table.lead tbody tr").all_inner_texts()
    first = {row.split("\t")[0].strip(): row.split("\t")[1].strip("?† ") for row in lead}
    title = page.locator("table.lead thead th").nth(1).inner_text().removeprefix("bits for equal ").strip("† ")
    page.locator("#metric").select_option(label=title)
    rows = page.locator("#bdtable tbody tr").all_inner_texts()
    assert len(rows) == 2
    for row in rows:
        codec, mean = (cell.strip() for cell in row.split("\t")[:2])
        assert mean.startswith(first[codec]), (row, first)


def test_single_files_of_a_large_study_are_shown_when_asked_for(opened: Open, curve_page: str) -> None:
    """Of more than 3,000 none were drawn, while a tick and a sentence said that they were."""
    path = Path(url2pathname(urlsplit(curve_page).path))
    head, data, tail = re.split(r'(?<=id="data">)(.*?)(?=</script>)', path.read_text("utf-8"), maxsplit=1)
    values = json.loads(data)
    values["records"] *= 50
    large = path.with_name("large.html")
    large.write_text(head + json.dumps(values).replace("<", "\\u003c") + tail, "utf-8")
    page = opened(large.as_uri())
    plot, tick = page.locator("#plot canvas"), page.locator("#dots")
    plot.scroll_into_view_if_needed()
    until(page, "document.querySelectorAll('#plot canvas').length === 1")
    assert not tick.is_checked()
    means = pixels(plot)
    tick.check()
    assert np.abs(pixels(plot) - means).max() > 0


def test_what_is_below_the_first_screen_is_built_when_it_is_near_or_later(opened: Open, curve_page: str) -> None:
    page = opened(curve_page)
    assert page.locator("#files tbody tr").count() == 0
    assert page.locator("#plot canvas").count() == 0
    page.locator("#curves").scroll_into_view_if_needed()
    until(page, "document.querySelectorAll('#plot canvas').length === 1", 1)
    # nobody scrolled to the table; it comes by itself, for a search in the page
    until(page, "document.querySelectorAll('#files tbody tr').length === 72")


def test_many_metrics_are_chosen_from(opened: Open, crowded_page: str) -> None:
    page = opened(crowded_page)
    page.locator("#every").scroll_into_view_if_needed()
    heads = page.locator("#files thead th")
    until(page, "document.querySelectorAll('#files thead th').length === 14")
    page.locator("#allmetrics").check()
    assert heads.count() == 6 + page.evaluate("vitiq.data().metrics.length")
    assert page.locator("#metric optgroup").count() == 5
    page.get_by_text("metrics, by the question they ask").click()
    assert page.locator(".questions tbody").count() == 5
    summary = page.locator(".meta summary", has_text="more metrics").first
    summary.scroll_into_view_if_needed()
    before = page.locator(".meta dt:visible").count()
    summary.click()
    assert page.locator(".meta dt:visible").count() > before


def test_the_table_sorts_and_filters(opened: Open, curve_page: str) -> None:
    page = opened(curve_page)
    table = page.locator("#files")
    page.get_by_label("Filter").fill("webp piece-01")
    assert page.locator("#count").inner_text() == "4 of 72 files"
    table.get_by_role("button", name="bytes", exact=True).click()
    sizes = [int(text.replace(",", "")) for text in table.locator("tbody td:nth-child(4)").all_inner_texts()]
    assert sizes == sorted(sizes)
    assert table.locator("th[aria-sort=ascending]").inner_text() == "bytes"
    table.get_by_role("button", name="bytes", exact=True).click()
    sizes = [int(text.replace(",", "")) for text in table.locator("tbody td:nth-child(4)").all_inner_texts()]
    assert sizes == sorted(sizes, reverse=True)
    table.locator("tbody button").first.click()
    assert page.evaluate("vitiq.data().images[vitiq.viewer.state.i].name") == "piece-01.png"


def test_everything_is_reached_with_the_keyboard_alone(opened: Open, equal_page: str) -> None:
    page = opened(equal_page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the comparison"
    page.keyboard.press("Enter")
    seen = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        seen.add(
            page.evaluate(
                "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"
            )
        )
    assert {"stage slider", "handle", "plot", "metric", "axis", "filter"} <= seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_no_sideways_scrolling_and_no_id_twice(
    opened: Open,
    equal_page: str,
    curve_page: str,
    crowded_page: str,
    crowded_curves: str,
    width: int,
    scheme: str,
    shots: Path,
) -> None:
    pages = {"equal": equal_page, "curves": curve_page, "crowded": crowded_page, "crowded-curves": crowded_curves}
    for name, address in pages.items():
        page = opened(address, width=width, height=844, color_scheme=scheme)
        page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
        until(page, "document.querySelectorAll('#files tbody tr').length > 0")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids))
        page.screenshot(path=shots / f"{name}-{width}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(
    opened: Open, equal_page: str, curve_page: str, crowded_page: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    for address in (equal_page, curve_page, crowded_page):
        page = opened(address, color_scheme=scheme)
        until(page, "document.querySelectorAll('#files tbody tr').length > 0")
        page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
        found = axe.Axe().run(page).response["violations"]
        said = [
            f"{fault['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
            for fault in found
            if fault["impact"] in {"serious", "critical"}
            for node in fault["nodes"][:3]
        ]
        assert said == []


def test_the_theme_is_kept(opened: Open, equal_page: str) -> None:
    page = opened(equal_page, color_scheme="light")
    white = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light / dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != white


def test_print_shows_the_answer_on_white(opened: Open, equal_page: str, shots: Path) -> None:
    page = opened(equal_page, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#theme").is_hidden()
    page.pdf(path=shots / "print.pdf", format="A4")


def test_print_breaks_no_name_of_a_codec_within_a_word(opened: Open, tmp_path: Path) -> None:
    study = with_many_metrics(equal_bytes(tmp_path))
    label = "vitiq generative [effort=2, loss=ssim]"
    records = [(replace(r, label=label) if r.codec == "inversion" else r, files) for r, files in study.records]
    html = render(study, build_model(study.name, [record for record, _ in records]), InlineAssets(tmp_path, 24_000_000))
    (tmp_path / "report-single.html").write_text(html, encoding="utf-8")
    page = opened((tmp_path / "report-single.html").as_uri(), width=688)  # A4 without its margins
    page.locator("#files").scroll_into_view_if_needed()
    page.locator("#files tbody tr").first.wait_for()
    page.emulate_media(media="print")
    broken = page.evaluate(
        """() => [...document.querySelectorAll("#files td:nth-child(2)")].flatMap((td) => {
          const text = td.lastChild, range = document.createRange();
          return [...text.data.matchAll(/\\S+/g)].filter((word) => {
            range.setStart(text, word.index); range.setEnd(text, word.index + word[0].length);
            return range.getClientRects().length > 1; }).map((word) => word[0]); })"""
    )
    assert page.locator("#files td:nth-child(2)").count() == len(records)
    assert broken == []


def test_the_widest_answer_fits_the_page_and_the_sheet(opened: Open, tmp_path: Path) -> None:
    study = with_many_metrics(curves(tmp_path, images=1))
    heavy = [(replace(r, details={**r.details, "shared_bytes": 20_000_000}), files) for r, files in study.records]
    labels = {"webp": "vitiq generative (MSE)", "avif": "AVIF [tune=psnr, subsampling=4:4:4]"}
    heavy = [(replace(r, label=labels.get(r.codec, r.label)), files) for r, files in heavy]
    html = render(study, build_model(study.name, [record for record, _ in heavy]), InlineAssets(tmp_path, 24_000_000))
    (tmp_path / "report-single.html").write_text(html, encoding="utf-8")
    excess = (
        "(s) => Math.max(...[...document.querySelectorAll(s)].map((e) => e.scrollWidth - e.parentNode.clientWidth))"
    )
    page = opened((tmp_path / "report-single.html").as_uri(), width=1280)
    assert page.locator("table.lead thead th").count() == 12
    assert page.evaluate(excess, "table.lead") <= 0
    page.locator("#files").scroll_into_view_if_needed()
    page.locator("#files tbody tr").first.wait_for()
    page.set_viewport_size({"width": 688, "height": 900})  # A4 without its margins
    page.emulate_media(media="print")
    assert page.evaluate(excess, "table.lead, #files") <= 0


def test_a_link_to_a_view_gives_the_image_the_focus_that_its_keys_need(opened: Open, equal_page: str) -> None:
    page = opened(equal_page)
    focused = "document.activeElement.className.includes('stage')"
    assert not page.evaluate(focused), "a page that is opened scrolls"
    assert "once the image has the focus" in page.locator("#compare .intro").inner_text()
    compare(page, "Side by side")
    page.wait_for_timeout(300)
    linked = opened(page.url)
    assert linked.evaluate(focused)
    linked.keyboard.press("g")
    assert state(linked)["m"] == "slider"


def test_a_page_of_its_own_with_packed_data_shows_its_images(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitiq.report.page.PLAIN", 1000)
    study = equal_bytes(tmp_path)
    html = render(
        study, build_model(study.name, [record for record, _ in study.records]), InlineAssets(tmp_path, 24_000_000)
    )
    assert "data-gzip" in html
    (tmp_path / "report-single.html").write_text(html, encoding="utf-8")
    page = opened((tmp_path / "report-single.html").as_uri())
    page.locator(".gallery").scroll_into_view_if_needed()
    until(page, "[...document.querySelectorAll('.gallery img')].every(i => i.naturalWidth === 160)")
    compare(page)
    assert page.evaluate("[...document.querySelectorAll('.pix img')].every(i => i.naturalWidth === 160)")
    until(page, "document.querySelectorAll('#files tbody tr').length === 9")


def test_a_study_that_kept_no_decoded_image_says_how_to_keep_them(opened: Open, tmp_path: Path) -> None:
    study = equal_bytes(tmp_path)
    study = replace(study, records=[(record, replace(files, reconstruction=None)) for record, files in study.records])
    html = render(study, build_model(study.name, [record for record, _ in study.records]), FolderAssets(tmp_path))
    (tmp_path / "report.html").write_text(html, encoding="utf-8")
    page = opened((tmp_path / "report.html").as_uri())
    assert "--keep bitstreams,images" in page.locator("#compare .stage").inner_text()
    assert not page.get_by_role("button", name="Flicker").is_visible()


def test_images_are_loaded_when_seen(opened: Open, equal_page: str) -> None:
    page = opened(equal_page)
    page.wait_for_timeout(300)
    loaded = page.evaluate("performance.getEntriesByType('resource').filter(e => e.name.includes('.full.')).length")
    assert loaded <= 2
