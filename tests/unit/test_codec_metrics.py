"""Properties and degenerate input of the codec metrics.

Truth: arithmetic (equal images, black beside white, a constant added), the definitions (who is symmetric), and that
JPEG of a lower quality is worse. Values of reference programs: tests/golden/test_codec_metrics.py.
"""

from __future__ import annotations

import io
import math
import os
import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jaxtyping import UInt16
from PIL import Image

from vitiq import registry
from vitiq.cli.metrics import missing as missing_of
from vitiq.errors import InputError, MissingDependencyError
from vitiq.image.colour import luma709, yuv709_10bit_plane
from vitiq.image.io import read_image
from vitiq.losses import loss
from vitiq.metrics import programs
from vitiq.metrics.base import PairMetric
from vitiq.metrics.measures.ssimulacra2 import taps
from vitiq.metrics.perceptual import cvvdp, vmaf
from vitiq.metrics.perceptual.ciede2000 import difference_map
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.types import ImageU8

OURS = (
    *("ssimulacra2", "iw-ssim", "vif", "fsim", "nlpd", "gmsd", "haarpsi", "psnr-hvs", "psnr-hvs-m", "ciede2000"),
    *("psnr-u", "psnr-v"),
)
SYMMETRIC = ("fsim", "nlpd", "gmsd", "haarpsi", "psnr-hvs", "psnr-hvs-m", "ciede2000", "psnr-u", "psnr-v")
CTTC = ("psnr-y", "ms-ssim-y", "iw-ssim", "vif", "nlpd", "psnr-hvs")
SMALLEST = {"ssimulacra2": 8, "iw-ssim": 161, "vif": 41, "nlpd": 65, "haarpsi": 16, "ms-ssim-y@jpeg-ai-cttc": 161}
PORTRAIT = read_image(Path(__file__).parents[2] / "examples" / "images" / "portrait.png")


def metric(name: str) -> PairMetric:
    found = resolve_metrics(name)[0]
    assert isinstance(found, PairMetric)
    return found


def planes_of(image: ImageU8) -> UInt16[np.ndarray, "3 h w"]:
    return np.stack([yuv709_10bit_plane(image, plane) for plane in range(3)])


def jpeg(image: ImageU8, quality: int) -> ImageU8:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer).convert("RGB"))


@given(
    st.integers(0, 300), st.integers(0, 300), st.integers(161, 190), st.integers(161, 190), st.integers(0, 2**32 - 1)
)
@settings(max_examples=4, phases=(Phase.generate,))
def test_identity_range_and_symmetry(top: int, left: int, height: int, width: int, seed: int) -> None:
    image = np.ascontiguousarray(PORTRAIT[top : top + height, left : left + width])
    noise = np.random.default_rng(seed).normal(0, 1 + seed % 40, image.shape)
    other = np.clip(image + noise, 0, 255).astype(np.uint8)
    metrics = resolve_metrics([*OURS, *(f"{name}@jpeg-ai-cttc" for name in CTTC)])
    same = score_pair(image, image.copy(), metrics)
    there, back = score_pair(image, other, metrics), score_pair(other, image, metrics)
    for m in metrics:
        low, high = m.range
        best = m.identical if m.identical is not None else (high if m.higher_is_better else low)
        assert same[m.name].value == best
        assert low <= there[m.name].value <= high
        if m.name in SYMMETRIC:
            assert there[m.name].value == pytest.approx(back[m.name].value, rel=1e-6, abs=1e-6)
        if not np.array_equal(image, other) and m.name not in ("psnr-u", "psnr-v"):
            assert there[m.name].value < best if m.higher_is_better else there[m.name].value > best


@given(st.sampled_from(["animal", "building", "portrait", "graphic"]), st.integers(8, 60))
@settings(max_examples=4, phases=(Phase.generate,))
def test_a_lower_jpeg_quality_is_worse(name: str, quality: int) -> None:
    image = read_image(Path(__file__).parents[2] / "examples" / "images" / f"{name}.png")[100:356, 100:356]
    image = np.ascontiguousarray(image)
    metrics = resolve_metrics([*OURS[:10], *(f"{name}@jpeg-ai-cttc" for name in CTTC)])
    low, high = (score_pair(image, jpeg(image, q), metrics) for q in (quality, min(95, quality + 30)))
    for m in metrics:
        better, worse = high[m.name].value, low[m.name].value
        assert better > worse if m.higher_is_better else better < worse, m.name


@pytest.mark.parametrize("name", [*OURS, *(f"{name}@jpeg-ai-cttc" for name in CTTC)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (9, 7), (8, 8), (40, 41), (64, 200), (160, 300), (177, 162)])
def test_any_size_has_a_value_or_a_reason(name: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(2))
    found = metric(name)
    smallest = SMALLEST.get(name, SMALLEST.get(name.partition("@")[0], 1))
    if min(shape) < smallest:
        with pytest.raises(InputError, match=f"{shape[1]}×{shape[0]} pixels given, .*at least {smallest}"):
            found(a, b)
        with pytest.raises(InputError, match="at least"):
            found(a, a)
        return
    low, high = found.range
    score = found(a, b)
    assert low <= score.value <= high or "structure" in str(score.details["undefined"])


@pytest.mark.parametrize("name", [*OURS, *(f"{name}@jpeg-ai-cttc" for name in CTTC)])
def test_flat_images_have_a_value_or_a_reason(name: str) -> None:
    black = np.zeros((192, 176, 3), np.uint8)
    white = black + np.uint8(255)
    texture = np.random.default_rng(0).integers(0, 256, black.shape, dtype=np.uint8)
    found = metric(name)
    for a, b in ((black, white), (white, black), (black, black + np.uint8(1)), (texture, black), (black, texture)):
        score = found(a, b)
        low, high = found.range
        if math.isnan(score.value):
            assert found.title in str(score.details["undefined"])
        else:
            assert low <= score.value <= high
            blind = name.partition("@")[0] in ("psnr-u", "psnr-v", "gmsd", "nlpd")  # they see no constant, or no grey
            assert blind or score.value != (high if found.higher_is_better else low)


@pytest.mark.parametrize(
    ("size", "levels", "documented"),
    [
        ((64, 64), (128, 137), "0.0007"),
        ((64, 64), (0, 255), "0.33"),
        ((512, 768), (128, 137), "0.0003"),
        ((512, 768), (0, 255), "0.11"),
    ],
)
def test_gmsd_of_flat_images_is_that_of_their_border(
    size: tuple[int, int], levels: tuple[int, int], documented: str
) -> None:
    """Truth: Prewitt's gradient at a border of zeros, the level at an edge and √8 / 3 of it at a corner."""
    height, width = (side // 2 for side in size)
    steps = np.zeros((height, width))
    steps[0] = steps[-1] = steps[:, 0] = steps[:, -1] = 1
    steps[np.ix_((0, -1), (0, -1))] = math.sqrt(8) / 3
    g, h = (level * steps for level in levels)
    expected = float(np.std((2 * g * h + 170) / (g**2 + h**2 + 170)))
    found = metric("gmsd")(*(np.full((*size, 3), level, np.uint8) for level in levels)).value
    assert found == pytest.approx(expected, rel=1e-9)
    assert f"{found:.{len(documented) - 2}f}" == documented


def test_flat_images_without_structure_are_undefined() -> None:
    grey = np.full((192, 192, 3), 100, np.uint8)
    scores = score_pair(grey, grey + np.uint8(9), resolve_metrics("vif,iw-ssim,fsim"))
    for name, reason in (("vif", "flat reference"), ("iw-ssim", "no information"), ("fsim", "any structure")):
        assert math.isnan(scores[name].value)
        assert reason in str(scores[name].details["undefined"])


@pytest.mark.parametrize("name", ["iw-ssim", "iw-ssim@jpeg-ai-cttc", "vif", "vif@jpeg-ai-cttc"])
def test_information_is_the_reference_s(name: str) -> None:
    """Truth: Wang & Li 2011 (info_content_weight_map.m) and Sheikh & Bovik 2006: the model is of the reference, and the
    distorted image is a gain of it. So a flat distorted image has a value, and a flat reference has none.
    """
    image = np.ascontiguousarray(PORTRAIT[:192, :176])
    flat = np.full_like(image, 120)
    lost = metric(name)(image, flat)
    assert 0 <= lost.value < 0.2
    assert "reference" in str(metric(name)(flat, image).details["undefined"])


def test_a_flat_output_is_no_perfect_one() -> None:
    """The loss of a generator that has collapsed, where the metric gives it next to nothing."""
    image = np.ascontiguousarray(PORTRAIT[:192, :176])
    flat = np.full_like(image, 120)
    given, wanted = (torch.from_numpy(one.copy()).permute(2, 0, 1)[None].double() / 255 for one in (flat, image))
    given.requires_grad_()
    for name in ("iw-ssim", "vif"):
        value = loss(name)(given, wanted)
        assert value.item() == pytest.approx(1 - metric(name)(image, flat).value, abs=1e-9)
        assert bool(torch.autograd.grad(value, given)[0].isfinite().all())


def test_black_beside_white_has_the_largest_lightness_difference() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    score = metric("ciede2000")(black, black + np.uint8(255))
    assert score.value == pytest.approx(100, abs=1e-4)
    assert score.details["p95"] == pytest.approx(100, abs=1e-4)


def test_the_95th_percentile_is_of_the_map() -> None:
    other = jpeg(PORTRAIT, 20)
    differences = difference_map(PORTRAIT, other)
    score = metric("ciede2000")(PORTRAIT, other)
    assert score.details["p95"] == pytest.approx(float(np.percentile(differences, 95)))
    assert score.details["max"] == float(differences.max())


def test_ten_bits_are_bt709() -> None:
    """ITU-R BT.709-6, item 3: Kr 0.2126, Kb 0.0722; full range, so that white is 1023 and grey has chroma 512."""
    colours = np.array([[[0, 0, 0], [255, 255, 255], [128, 128, 128], [255, 0, 0], [0, 0, 255]]], np.uint8)
    planes = planes_of(colours)
    assert planes[:, 0].T.tolist() == [
        [0, 512, 512],
        [1023, 512, 512],
        [514, 512, 512],
        [217, 395, 1023],
        [74, 1023, 465],
    ]
    assert luma709(colours)[0, 3] == pytest.approx(54.213)


def test_ten_bits_are_rounded_exactly() -> None:
    """Truth: BT.709's equations in fractions, on random colours and on some whose value is halfway between two."""
    rng = np.random.default_rng(0)
    halves = np.array([[10, 51, 54], [27, 41, 103], [1, 1, 86], [0, 0, 255], [0, 146, 19], [0, 255, 255]], np.uint8)
    colours = np.concatenate([halves, rng.integers(0, 256, (2000, 3), dtype=np.uint8)])[None]
    planes = planes_of(colours)
    red, green, blue = Fraction(2126, 10000), Fraction(7152, 10000), Fraction(722, 10000)
    ties = 0
    for place, (r, g, b) in enumerate(colours[0].tolist()):
        y = red * r + green * g + blue * b
        exact = [y * 1023 / 255, (b - y) / (2 * (1 - blue)) * 1023 / 255, (r - y) / (2 * (1 - red)) * 1023 / 255]
        ties += sum(value % 1 == Fraction(1, 2) for value in exact)
        wanted = [min(1023, round(value) + 512 * (plane > 0)) for plane, value in enumerate(exact)]
        assert planes[:, 0, place].tolist() == wanted
        assert [int(yuv709_10bit_plane(colours, plane)[0, place]) for plane in range(3)] == wanted
    assert ties >= len(halves)


def test_libjxl_s_gaussian() -> None:
    """The response to an impulse of the recursion in libjxl's gauss_blur.cc (radius 5), step by step."""
    omega = [k * math.pi / 10 for k in (1, 3, 5)]
    p = [1 / math.tan(omega[0] / 2), -1 / math.tan(omega[1] / 2), 1 / math.tan(omega[2] / 2)]
    r = [p[0] ** 2 / math.sin(omega[0]), -(p[1] ** 2) / math.sin(omega[1]), p[2] ** 2 / math.sin(omega[2])]
    rho = [math.exp(-0.5 * 1.5**2 * w**2) / 5 for w in omega]
    d13, d35, d51 = p[0] * r[1] - r[0] * p[1], p[1] * r[2] - r[1] * p[2], p[2] * r[0] - r[2] * p[0]
    zeta = (d35 / d13, d51 / d13)
    gamma = (1, 25 - 1.5**2, zeta[0] * rho[0] + zeta[1] * rho[1] + rho[2])
    beta = np.linalg.solve(np.array([p, r, [*zeta, 1]]), gamma)
    impulse, found = np.zeros(41), []
    impulse[20] = 1
    last, before = np.zeros(3), np.zeros(3)
    for n in range(-4, 41):
        left = impulse[n - 6] if n >= 6 else 0
        right = impulse[n + 4] if n + 4 < 41 else 0
        out = -beta * np.cos(np.array(omega) * 6) * (left + right) + 2 * np.cos(omega) * last - before
        last, before = out, last
        found.append(out.sum())
    assert taps() == pytest.approx(found[4:][16:25], abs=1e-12)
    assert np.abs(found[4:][:16]).max() < 1e-12
    assert np.abs(found[4:][25:]).max() < 1e-12


def test_conditions_are_in_name_and_signature() -> None:
    for name in CTTC:
        found = metric(f"{name}@jpeg-ai-cttc")
        assert found.name == f"{name}@jpeg-ai-cttc"
        assert found.signature().startswith(f"{name}@jpeg-ai-cttc|")
        assert "bt709-full-10bit" in found.signature()
        assert metric(name).signature() != found.signature()
        with pytest.raises(InputError, match="jpeg-ai-cttc expected"):
            metric(f"{name}@jpeg-ai")


def test_one_name_for_all_of_jpeg_ai() -> None:
    names = [m.name for m in resolve_metrics("jpeg-ai-cttc")]
    assert names == [
        *("ms-ssim-y@jpeg-ai-cttc", "vif@jpeg-ai-cttc", "fsim", "nlpd@jpeg-ai-cttc", "iw-ssim@jpeg-ai-cttc"),
        *("psnr-hvs@jpeg-ai-cttc", "vmaf", "psnr-y@jpeg-ai-cttc", "psnr-u", "psnr-v"),
    ]


@pytest.mark.parametrize("name", ["butteraugli@0", "butteraugli@x", "butteraugli@nan", "butteraugli@20000"])
def test_a_brightness_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="brightness in nits"):
        resolve_metrics(name)


def test_without_programs_the_reason_says_what_to_install(small: ImageU8, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(vmaf, "program", lambda: None)

    def missing(_: object) -> None:
        raise MissingDependencyError("cvvdp needs its package: run pip install 'vitiq[cvvdp]'")

    monkeypatch.setattr(cvvdp.Cvvdp, "model", missing)
    other = small + np.uint8(1)
    scores = score_pair(small, other, resolve_metrics("butteraugli,vmaf,cvvdp"))
    for name, words in (("butteraugli", "libjxl-devtools"), ("vmaf", "vitiq[vmaf]"), ("cvvdp", "vitiq[cvvdp]")):
        assert math.isnan(scores[name].value)
        assert words in str(scores[name].details["undefined"])
        assert words in str(
            missing_of(registry.load("metrics", name))
        )  # `vitiq metrics list` says that it is not found
    assert missing_of(registry.load("metrics", "ssim")) is None
    assert "missing" in metric("butteraugli").signature()
    assert "missing" in metric("vmaf").signature()


@pytest.mark.parametrize("error", [AttributeError("'NoneType' has no shape"), TypeError(), KeyError("a"), ValueError()])
def test_a_package_that_fails_is_a_reason(error: Exception, small: ImageU8, monkeypatch: pytest.MonkeyPatch) -> None:
    """cvvdp 0.5.7 raises AttributeError for images one pixel wide: others go on, whatever a package raises."""

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cvvdp.Cvvdp, "model", lambda _: SimpleNamespace(predict=fails))
    scores = score_pair(small, small ^ np.uint8(1), resolve_metrics("cvvdp,mse"))
    assert type(error).__name__ in str(scores["cvvdp"].details["undefined"])
    assert scores["mse"].value == 1
    narrow = np.ascontiguousarray(small[:, :1])
    assert "sides of at least 2" in str(score_pair(narrow, narrow ^ np.uint8(1), [metric("cvvdp")])["cvvdp"].details)


def test_a_program_that_fails_is_a_reason(small: ImageU8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, reason in (("echo what; exit 0", "expected"), ("echo broken >&2; exit 3", "exit code 3: broken")):
        program = tmp_path / "butteraugli_main"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        monkeypatch.setattr(shutil, "which", lambda _, found=str(program): found)
        score = metric("butteraugli")(small, small + np.uint8(1))
        assert math.isnan(score.value)
        assert reason in str(score.details["undefined"])


@pytest.mark.parametrize("program", [b"\x7fELF", b"#!/bin/sh\nsleep 30 & wait\n"])
def test_an_ffmpeg_that_cannot_be_started_or_does_not_answer_is_passed_over(
    program: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for another processor, or half a download, or one that hangs."""
    damaged, other = tmp_path / "ffmpeg", tmp_path / "packaged"
    damaged.write_bytes(program)
    monkeypatch.setattr(programs, "ANSWER_TIMEOUT", 2.0)
    other.write_text(
        "#!/bin/sh\nif [ $1 = -version ]; then echo ffmpeg version 9.0; else echo ' .. libvmaf  VV->V'; fi\n"
    )
    for file in (damaged, other):
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(vmaf, "_packaged", lambda: str(other))
    vmaf.program.cache_clear()
    try:
        assert vmaf.program() == (str(other), "9.0")
    finally:
        vmaf.program.cache_clear()


def test_libvmaf_without_a_number_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """libvmaf of ffmpeg n9.0.2 writes "nan" for images of 16 pixels and less, as of 2026."""
    monkeypatch.setattr(vmaf, "program", lambda: ("ffmpeg", "0"))
    monkeypatch.setattr(vmaf.Vmaf, "_frame", staticmethod(lambda *_: {"vmaf": math.nan}))
    a, b = PORTRAIT[:40, :40].copy(), PORTRAIT[1:41, :40].copy()
    score = metric("vmaf")(a, b)
    assert math.isnan(score.value)
    assert "libvmaf gives no number" in str(score.details["undefined"])
    with pytest.raises(InputError, match="sides of at least 17"):
        metric("vmaf")(a[:16], b[:16])


@pytest.mark.parametrize("shape", [(40, 60), (41, 43), (17, 18)])
def test_a_frame_for_libvmaf_is_luma_and_grey(
    shape: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """yuv420p10le: luma, then two planes of half the size rounded up, 512 being grey."""
    image = np.ascontiguousarray(PORTRAIT[: shape[0], : shape[1]])
    frames = []
    for large in (vmaf.LARGE, 64):  # in one piece, and by rows
        monkeypatch.setattr(vmaf, "LARGE", large)
        vmaf._write_frame(tmp_path / "frame.yuv", image)
        frames.append(np.fromfile(tmp_path / "frame.yuv", "<u2"))
    luma = yuv709_10bit_plane(image, 0).ravel()
    assert np.array_equal(frames[0], frames[1])
    assert np.array_equal(frames[0][: luma.size], luma)
    chroma = frames[0][luma.size :]
    assert chroma.size == 2 * ((shape[0] + 1) // 2) * ((shape[1] + 1) // 2)
    assert set(chroma.tolist()) == {512}


def test_the_model_of_vmaf_reads_the_luma_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value with JPEG AI's 4:4:4, which libvmaf is not handed for the sake of memory, is the same to the digit."""
    found = vmaf.program()
    if found is None:
        pytest.skip("no ffmpeg with libvmaf")
    a, b = (np.ascontiguousarray(image[:101, :143]) for image in (PORTRAIT, jpeg(PORTRAIT, 20)))

    def whole_frame(path: Path, image: ImageU8) -> None:
        path.write_bytes(planes_of(image).astype("<u2").tobytes())

    grey = metric("vmaf")(a, b)
    ran = programs.output_of
    monkeypatch.setattr(vmaf, "_write_frame", whole_frame)
    monkeypatch.setattr(
        vmaf,
        "output_of",
        lambda words, folder: ran([word.replace("yuv420p10le", "yuv444p10le") for word in words], folder),
    )
    assert metric("vmaf")(a, b) == grey
