"""Plans: what is compared, under which keys, in which order; faults; inputs.

Truth: the rules of evaluation/study.py and evaluation/plan.py, and counting by hand.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitiq import registry
from vitiq.analysis.points import RdPoint
from vitiq.cli.bench_slurm import failures
from vitiq.codecs.spec import parse_codec, parse_codecs
from vitiq.errors import InputError, UnknownNameError
from vitiq.evaluation.inputs import find_inputs, pixels_digest, read_input
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.plan import Faults, check_keep, check_metrics, make_study, series_of
from vitiq.evaluation.published import kept_points
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Ready, Series, Study, StudyImage, of_shard
from vitiq.evaluation.worker import spec_of
from vitiq.image.folders import RESULTS_MARK, unique_names
from vitiq.image.io import write_png

IMAGE = StudyImage("a.png", "/in/a.png", "0" * 64, 40, 30, 1000)


def study(codecs: str, *images: StudyImage) -> Study:
    spec = MetricSpec("mse,psnr-rgb")
    return make_study(images or (IMAGE,), map(series_of, parse_codecs(codecs)), check_metrics(spec, Faults()), spec)


def keys(codecs: str, *images: StudyImage) -> list[str]:
    return [task.key for task in study(codecs, *images).tasks()]


def test_order_and_count() -> None:
    found = study("jpeg@10:30:10,webp@bytes=500", IMAGE, replace(IMAGE, name="b.png", sha256="1" * 64))
    tasks = list(found.tasks())
    assert len(tasks) == len(found) == 8
    order = [(0, 0, 10), (0, 0, 20), (0, 0, 30), (0, 1, 500), (1, 0, 10)]
    assert [(t.image, t.series, t.value) for t in tasks[:5]] == order
    assert len({task.key for task in tasks}) == 8


def test_a_key_changes_with_what_changes_the_file_and_nothing_else() -> None:
    (plain,) = keys("jpeg@50")
    assert keys("webp@10,jpeg@50", replace(IMAGE, name="x", path="/y", bytes=1, notes=("turned",)))[1] == plain
    others = [
        *keys("jpeg@51"),
        *keys("jpeg@bytes=50"),
        *keys("webp@50"),
        *keys("jpeg@50", replace(IMAGE, sha256="1" * 64)),
    ]
    assert len({plain, *others}) == 5
    assert keys("jpeg@bpp=0.5") == keys("jpeg@bytes=75")
    assert keys("jpeg@bpp=0.305") == keys("jpeg@bytes=45")  # of 45.75: at most so many bits per pixel
    one = series_of(parse_codec("jpeg@bytes=500"))
    both = Study((IMAGE,), (one, replace(one, nearest=True)), ())
    assert len({task.key for task in both.tasks()}) == 2
    changed = Study((IMAGE,), (replace(one, identity={**one.identity, "weights": "other"}),), ())
    assert next(changed.tasks()).key != next(both.tasks()).key


def test_a_study_whose_files_were_moved_is_the_same_one() -> None:
    def planned(folder: str, sha256: str = "1" * 64) -> str:
        plain = study("jpeg@50", replace(IMAGE, path=f"{folder}/a.png"))
        made = Series(
            "", "{}", "VTM", "VTM", ".bin", ready={"a.png": (Ready(f"{folder}/vtm/a.png", sha256, 99, 22.0),)}
        )
        return replace(plain, series=(*plain.series, made)).name

    assert planned("/here") == planned("/there")
    assert planned("/here") != planned("/here", "2" * 64)
    assert study("jpeg@50").name != study("jpeg@50", replace(IMAGE, sha256="1" * 64)).name


def test_a_study_comes_back_from_its_json() -> None:
    found = study("jpeg@10:30:10,webp@bytes=500", replace(IMAGE, path="/in/\udcff.png", notes=("turned",)))
    again = Study.from_json(json.loads(json.dumps(found.to_json())))
    assert again == found
    assert again.name == found.name
    assert list(again.tasks()) == list(found.tasks())


SETTINGS = {
    "folder": "/weights of mine",
    "setting": "/weights of mine",
    "k": "10%",
    "n": "3",
    "persistence": "0.5",
    "display": "standard_hdr_pq",
    "intensity": "120",
    "conditions": "jpeg-ai-cttc",
    "resize": "tf1",
}
"""Parameter of a metric -> a setting that is not its own."""


def test_every_metric_comes_to_the_workers_with_the_setting_that_was_asked_for() -> None:
    parameters = {name: registry.load("metrics", name).parameter for name in registry.names("metrics")}
    asked = [f"{name}@{SETTINGS[parameter]}" for name, parameter in parameters.items() if parameter]
    assert len(asked) > 20
    for names in (",".join(asked), "wasserstein@8,mse"):
        spec = MetricSpec(names)
        found = make_study((IMAGE,), [], spec.make(), spec)
        again = Study.from_json(json.loads(json.dumps(found.to_json())))
        assert again == found
        assert spec_of(again, again.metrics) == spec
        assert [metric.name for metric in spec_of(again, again.metrics).make()] == list(found.metrics)
    assert spec_of(found, ["wasserstein@8"]).names == "wasserstein@8"


def test_what_is_asked_for_by_its_own_name_is_required_of_every_worker() -> None:
    def planned(names: str) -> Study:
        spec = MetricSpec(names)
        return make_study((IMAGE,), [], spec.make(), spec)

    assert planned("default").required == ()
    assert planned("default,psnr,lpips@/a").required == ("psnr-rgb", "lpips")
    assert planned("mse,lpips@/a").name == planned("mse,lpips@/b").name, "no weights in either: the same signature"


def test_published_points_are_kept_with_a_study_and_change_neither_its_name_nor_a_key() -> None:
    found = study("jpeg@10:30:10")
    values = {"psnr-rgb": math.inf, "ms-ssim": 0.9, "odd": math.nan}
    points = kept_points([RdPoint("kodak", "VTM", "point=0", 0.25, values, aggregate=True)])
    beside = replace(found, published=points, anchor="VTM")
    again = Study.from_json(json.loads(json.dumps(beside.to_json(), allow_nan=False)))
    assert (again, again.name) == (beside, found.name)
    assert list(again.tasks()) == list(found.tasks())
    back = again.published[0].to_point()
    assert (back.image, back.codec, back.bpp, back.aggregate) == ("kodak", "VTM", 0.25, True)
    assert (back.values["psnr-rgb"], back.values["ms-ssim"], math.isnan(back.values["odd"])) == (math.inf, 0.9, True)


@pytest.mark.parametrize(("key", "value"), [("bpp", 0.0), ("bpp", "inf"), ("values", {"psnr-rgb": "much"})])
def test_damaged_published_points_are_refused(key: str, value: object) -> None:
    points = kept_points([RdPoint("kodak", "VTM", "point=0", 0.25, {"psnr-rgb": 30.0}, aggregate=True)])
    document = json.loads(json.dumps(replace(study("jpeg@10"), published=points).to_json()))
    document["published"][0][key] = value
    with pytest.raises(ValueError, match="published"):
        Study.from_json(document)


def test_shares_are_disjoint_and_whole() -> None:
    found = study("jpeg@1:95:1")
    shares = [{task.key for task in of_shard(found.tasks(), i, 4)} for i in range(4)]
    assert sum(map(len, shares)) == len(set().union(*shares)) == 95
    assert min(map(len, shares)) > 10


def test_codecs_without_rates_have_their_ladder_and_doubles_count_once() -> None:
    assert len(study("jpeg")) > 3
    assert len(study("jpeg@10,jpeg@10")) == len(study("jpeg@10,10")) == len(study("jpeg@bpp=1,1.0")) == 1
    assert len(study("jpeg@10:30:10,jpeg@20,jpeg[subsampling=4:2:0]@20,40")) == 4
    assert len(study("jpeg@bytes=500,500,bpp=1")) == len(study("jpeg@20,jpeg[progressive=true]@20")) == 2


def test_names_that_differ_in_case_or_form_alone_are_kept_apart() -> None:
    composed = "é.png"
    found = unique_names([composed, unicodedata.normalize("NFD", composed), "É.png", "x.png", "x.jpg", "sub/x.png"])
    assert found == ["é.png", unicodedata.normalize("NFD", "é") + "-2.png", "É-3.png", "x.png", "x.jpg", "sub/x.png"]


def test_every_fault_is_named_at_once() -> None:
    faults = Faults()
    for text in ("jpeg@10", "jpge", "jpeg@500", "avif[nothing=1]@50"):
        with faults.gathered():
            series_of(parse_codec(text))
    check_metrics(MetricSpec("mse,pnsr"), faults)
    check_metrics(MetricSpec("lpips"), faults)
    with pytest.raises(InputError, match="5 problems, nothing was started") as found:
        faults.refuse()
    for word in ("jpge", "500", "nothing", "pnsr", "lpips"):
        assert word in str(found.value)
    faults.found = faults.found[:1]
    with pytest.raises(UnknownNameError):
        faults.refuse()


def test_what_is_not_here_is_refused_before_work(tmp_path: Path) -> None:
    """A program, a decoder, checkpoints; beside an unknown metric, whose name a missing checkpoint does not hide."""
    faults = Faults()
    wrong = {
        'cmd:"no-such-program {in} {out} -q {q}"@3': "'no-such-program' is not found",
        "cmd@3": "needs a program",
        'cmd:"ls {in} {out}"@3': "cannot decode without",
    }
    for text in wrong:
        with faults.gathered():
            series_of(parse_codec(text))
    check_metrics(MetricSpec("pnsr,mse,vit-tokp", tmp_path / "lost.safetensors", (tmp_path / "gone.pth",)), faults)
    said = list(map(str, faults.found))
    words = [*wrong.values(), "'pnsr'", "'vit-tokp'", "lost.safetensors: no such", "gone.pth: no such"]
    assert len(said) == len(words)
    assert all(word in line for word, line in zip(words, said, strict=True)), said


def test_kept_files_by_name() -> None:
    assert check_keep("images,bitstreams") == ("bitstreams", "images")
    assert check_keep("none") == ()
    for wrong in ("", "none,images", "image"):
        with pytest.raises(InputError, match="--keep"):
            check_keep(wrong)


def test_results_are_never_inputs(tmp_path: Path) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    for name in ("a.png", "sub/a.png", "out/reconstructions/ab/x.png", "other/originals/y.png", "deep/er/z.png"):
        write_png(tmp_path / name, image)
    for results in ("out", "other"):
        (tmp_path / results / RESULTS_MARK).write_bytes(b"")
    found = find_inputs([tmp_path], tmp_path / "out")
    assert [name for _, name in found.files] == ["a.png", "deep/er/z.png", "sub/a.png"]
    named = tmp_path / "out" / "reconstructions" / "ab" / "x.png"
    assert [path for path, _ in find_inputs([named], tmp_path / "out").files] == [named]
    # Before the first run has marked its folder.
    (tmp_path / "new").mkdir()
    write_png(tmp_path / "new" / "b.png", image)
    assert "new/b.png" not in [name for _, name in find_inputs([tmp_path], tmp_path / "new").files]


def test_a_folder_that_cannot_be_looked_into_stops_no_other(as_user: Path) -> None:
    for name in ("a.png", "sub/b.png"):
        write_png(as_user / name, np.zeros((8, 8, 3), np.uint8))
    (as_user / "sub").chmod(0o000)
    for out in (as_user / "out", as_user / "sub" / "out", None):
        found = find_inputs([as_user], out)
        assert [name for _, name in found.files] == ["a.png"]
        assert [line.partition("sub: ")[2] for line in found.problems] == [
            "cannot be looked into (Permission denied); check its permissions"
        ]
    (as_user / "sub").chmod(0o755)


def test_what_lies_in_results_is_not_even_looked_at(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_png(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "out" / "studies").mkdir(parents=True)
    (tmp_path / "out" / "studies" / "x.json").write_text("{}")
    assert [name for _, name in find_inputs([tmp_path], tmp_path / "out").files] == ["a.png"]
    assert caplog.text == ""
    with pytest.raises(InputError, match="is a folder of images too; give another folder for the results"):
        find_inputs([tmp_path], tmp_path)


def test_results_do_not_go_among_the_images_that_are_named(tmp_path: Path) -> None:
    """They would hide the images beside them: a folder of results is not read."""
    image = tmp_path / "photos" / "a.png"
    write_png(image, np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "link").symlink_to("photos")
    for out in (tmp_path / "photos", tmp_path / "link"):
        with pytest.raises(InputError, match="is a folder of images too; give another folder for the results, such as"):
            find_inputs([image], out)
    for out in (tmp_path / "photos" / "study", tmp_path):
        assert [path for path, _ in find_inputs([image], out).files] == [image]
    (tmp_path / "photos" / RESULTS_MARK).write_bytes(b"")  # those of an earlier run, which go on
    assert [path for path, _ in find_inputs([image], tmp_path / "photos").files] == [image]


@pytest.mark.skipif(sys.platform != "linux", reason="file names that are no text need a file system that takes them")
def test_names_that_are_no_text_are_read_and_written_as_escapes(tmp_path: Path) -> None:
    path = Path(os.fsdecode(bytes(tmp_path) + b"/\xff\xe9.png"))
    write_png(path, np.zeros((8, 8, 3), np.uint8))
    ((file, name),) = find_inputs([tmp_path]).files
    assert name == "\\xff\\xe9.png"
    image = read_input((file, name))
    assert isinstance(image, StudyImage)
    store = Store(tmp_path / "out")
    store.begin(study("jpeg@50", image))
    assert store.study().images == (image,)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG broken")
    said = read_input((tmp_path / "x.png", "x.png"))
    assert isinstance(said, str)
    assert "x.png" in said


def test_pixels_of_another_shape_have_another_digest() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert pixels_digest(image) != pixels_digest(image.reshape(2, 8, 3))
    assert pixels_digest(image) == pixels_digest(np.asfortranarray(image))


MILLION = """
import sys
from dataclasses import replace
from vitiq.evaluation.study import Study, Series, StudyImage
images = tuple(StudyImage(f"{i}.png", f"/in/{i}.png", f"{i:064x}", 512, 512, 1) for i in range(10_000))
rates = tuple(("quality", float(q)) for q in range(10))
series = tuple(Series(f"c{i}", "{}", f"c{i}", f"c{i}", ".x", rates=rates) for i in range(10))
study = Study(images, series, ("mse",))
assert len(study) == 1_000_000
last = None
for count, last in enumerate(study.tasks(), 1):
    pass
assert count == 1_000_000 and study.name
print(int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) // 1024)
"""


def test_a_million_tasks_need_little_memory() -> None:
    done = subprocess.run([sys.executable, "-c", MILLION], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "linux" else 1024
    assert int(done.stdout) < 1000 * unit


def test_a_workers_failures_name_image_codec_and_rate() -> None:
    found = study("jpeg@10,20,webp[method=4]@bytes=500", IMAGE, replace(IMAGE, name="b.png", sha256="1" * 64))
    tasks = list(found.tasks())
    lines = failures(found, {tasks[1].key: "it broke", tasks[5].key: "it broke"})
    assert lines == ["a.png, JPEG, quality 20: it broke", "b.png, WebP [method=4], bytes 500: it broke"]
