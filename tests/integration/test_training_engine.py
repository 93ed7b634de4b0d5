"""The engine under every recipe, on images and weights made here.

Truth: identities (a run that was cut, stopped by Ctrl-C or by its time limit, and resumed, ends with the bytes of a run
that was not).
"""

from __future__ import annotations

import csv
import hashlib
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from smoke_trainings import Train, smoke_trainings
from training_images import write_blurred, write_gradients
from vitiq.cli.train import command
from vitiq.errors import InputError, WeightsError
from vitiq.training.config import read_config
from vitiq.training.engine import Inputs, say_skipped, train
from vitiq.training.recipes import MODELS, codec, load_recipe
from vitiq.weights.file import steps_behind, write_weights

CONFIGS = Path(codec.__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gradients(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def trainings(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Train]:
    return smoke_trainings(tmp_path_factory.mktemp("weights"), data)


def steps_logged(out: Path) -> list[int]:
    with (out / "log.csv").open(newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


class KilledError(Exception):
    """Stands for a kill between two steps."""


@pytest.mark.parametrize("model", list(MODELS))
def test_a_resumed_run_ends_with_the_bytes_of_a_whole_one(
    model: str, trainings: dict[str, Train], tmp_path: Path
) -> None:
    run, whole, cut = trainings[model], tmp_path / "whole", tmp_path / "cut"
    weights = run(whole)
    total = steps_logged(whole)[-1]

    def kill(done: int, steps: int, loss: float) -> None:
        assert steps == total
        if done == total - 1:
            raise KilledError

    with pytest.raises(KilledError):
        run(cut, report=kill)
    (cut / "checkpoint.tmp").write_bytes(b"half a checkpoint")
    # Another state of the random generators than the first run had.
    torch.manual_seed(12345)
    seen: list[int] = []
    resumed = run(cut, report=lambda done, *_: seen.append(done))
    assert 1 < seen[0] < total
    assert seen[-1] == total
    assert resumed.read_bytes() == weights.read_bytes()
    states = [torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (whole, cut)]
    assert states[0].pop("settings") == states[1].pop("settings")
    torch.testing.assert_close(states[1], states[0], rtol=0, atol=0)
    assert (cut / "log.csv").read_text() == (whole / "log.csv").read_text()
    assert steps_logged(cut) == list(range(1, total + 1))
    assert (cut / "curves.png").stat().st_size > 1000


@pytest.fixture
def _hears_sigint() -> Iterator[None]:
    """Ctrl-C as in a terminal, also where these tests run in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_hears_sigint")
def test_ctrl_c_ends_the_step_and_keeps_it(trainings: dict[str, Train], tmp_path: Path) -> None:
    whole = trainings["codec"](tmp_path / "whole")
    before = signal.getsignal(signal.SIGINT)

    def press(done: int, steps: int, loss: float) -> None:
        if done == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        trainings["codec"](tmp_path / "cut", report=press)
    assert signal.getsignal(signal.SIGINT) == before
    assert steps_logged(tmp_path / "cut") == [1, 2]
    seen: list[int] = []
    resumed = trainings["codec"](tmp_path / "cut", report=lambda done, *_: seen.append(done))
    assert seen[0] == 3, "no step is lost, though none was due for a checkpoint"
    assert resumed.read_bytes() == whole.read_bytes()


def test_a_time_limit_stops_at_a_checkpoint(trainings: dict[str, Train], tmp_path: Path) -> None:
    whole = trainings["codec"](tmp_path / "whole")
    weights = trainings["codec"](tmp_path / "cut", time_limit=0)
    assert steps_logged(tmp_path / "cut") == [1]
    assert steps_behind(weights) == 1
    resumed = trainings["codec"](tmp_path / "cut", time_limit=3600)
    assert resumed.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("model", list(MODELS))
def test_settings_of_another_run_are_refused(model: str, trainings: dict[str, Train], tmp_path: Path) -> None:
    out, other = tmp_path / "run", tmp_path / "other.toml"
    run = trainings[model]
    run(out, time_limit=0)
    before = {path: path.read_bytes() for path in out.glob("*.*") if path.is_file()}
    text = (CONFIGS / f"{model}.toml").read_text()
    other.write_text(text.replace("seed = 2026", "seed = 7").replace("gradient_clip = ", "gradient_clip = 1"))
    with pytest.raises(
        InputError, match=r"run: other settings .*seed = 7 given, 2026 there, gradient_clip = "
    ) as caught:
        run(out, config=other)
    assert str(caught.value).endswith("; choose another -o, or remove the folder to start anew")
    assert {path: path.read_bytes() for path in before} == before


def test_other_weights_to_begin_from_are_refused(data: Path, trainings: dict[str, Train], tmp_path: Path) -> None:
    first, out, recipe = (
        trainings["deblock"](tmp_path / "first", time_limit=0),
        tmp_path / "run",
        load_recipe("deblock"),
    )
    trainings["deblock"](out, time_limit=0)
    with pytest.raises(InputError, match=r"run: other weights .* \(--begin: sha256 .* given, none there\); choose"):
        train(recipe, Inputs([data], out, begin=first, smoke=True), threads=1)
    with pytest.raises(WeightsError, match=r"none\.safetensors: cannot be read"):
        train(recipe, Inputs([data], out, begin=tmp_path / "none.safetensors", smoke=True), threads=1)


def test_a_shipped_codec_is_the_same_weights_whether_it_is_named_or_not(tmp_path: Path) -> None:
    shipped = load_recipe("perceptual").shipped
    plain, named = (Inputs([], tmp_path, codec=path).weights(shipped) for path in (None, shipped["codec"]))
    assert plain == named == {"codec": hashlib.sha256(shipped["codec"].read_bytes()).hexdigest()}
    assert Inputs([], tmp_path).weights(load_recipe("deblock").shipped) == {}


def test_weights_of_a_finished_run_are_written_again_where_they_are_gone(
    trainings: dict[str, Train], tmp_path: Path
) -> None:
    weights = trainings["deblock"](tmp_path / "run")
    data, log = weights.read_bytes(), (tmp_path / "run" / "log.csv").read_bytes()
    weights.unlink()
    assert trainings["deblock"](tmp_path / "run").read_bytes() == data
    assert (tmp_path / "run" / "log.csv").read_bytes() == log


def test_fewer_images_held_out_than_asked_for_are_said(
    trainings: dict[str, Train], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    trainings["deblock"](tmp_path / "run", write_blurred(few, 3), time_limit=0)
    assert "held_out = 2 given, 3 images there: 1 are validated on, and 2 learned from" in caplog.text


def test_skipped_steps_are_said_and_a_run_of_them_has_failed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good, bad = [{"gradient_norm": "0.5"}, {"gradient_norm": ""}, {}], [{"gradient_norm": "inf"}]
    say_skipped(3 * good, tmp_path)
    assert not caplog.records
    say_skipped([*good, *good, *bad, *good], tmp_path)
    assert "1 of 4 steps were skipped, since their gradients were not finite" in caplog.text
    with pytest.raises(InputError, match=r"2 of 3 steps were skipped, .* diverged, .*lower learning_rate"):
        say_skipped([*bad, *good, {"gradient_norm": "nan"}], tmp_path)


def test_a_training_that_diverges_is_no_success(
    trainings: dict[str, Train], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = load_recipe("deblock").config_class
    wild = msgspec.structs.replace(kind.load(smoke=True), learning_rate=1e20, warmup_steps=0)
    monkeypatch.setattr(kind, "load", lambda *_, **__: wild)
    with pytest.raises(InputError, match=r"run: [45] of 6 steps were skipped"):
        trainings["deblock"](tmp_path / "run")
    with pytest.raises(InputError, match="were skipped"):
        trainings["deblock"](tmp_path / "run")


def test_a_real_run_does_not_go_on_from_a_smoke_run(trainings: dict[str, Train], data: Path, tmp_path: Path) -> None:
    trainings["deblock"](tmp_path / "run")
    arguments = ["deblock", "--data", str(data), "-o", str(tmp_path / "run"), "--quiet"]
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, InputError)
    assert "run: a run without --smoke given, one with it is there; choose another -o" in str(result.exception)


def test_a_run_is_extended_as_if_it_had_been_longer_from_the_start(
    trainings: dict[str, Train], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the rate of `deblock` is held: the same bytes."""
    run, kind = trainings["deblock"], load_recipe("deblock").config_class
    short = kind.load(smoke=True)
    last = msgspec.structs.replace(short.phases[1], steps=6)  # type: ignore[attr-defined]
    longer = msgspec.structs.replace(short, phases=(short.phases[0], last))  # type: ignore[attr-defined]
    cooled = short.steps - short.cooldown_steps  # type: ignore[attr-defined]

    def kill(done: int, *_: object) -> None:
        if done == cooled:
            raise KilledError

    with pytest.raises(KilledError):
        run(tmp_path / "run", report=kill)
    monkeypatch.setattr(kind, "load", lambda *_, **__: longer)
    seen: list[int] = []
    found = run(tmp_path / "run", report=lambda done, *_: seen.append(done))
    assert seen[0] > 1
    assert seen[-1] == longer.steps == short.steps + 4
    assert found.read_bytes() == run(tmp_path / "whole").read_bytes()
    monkeypatch.setattr(kind, "load", lambda *_, **__: short)
    with pytest.raises(InputError, match=r"run: other settings given .*\(phases\)"):
        run(tmp_path / "run")


def test_a_checkpoint_without_settings_is_resumed_with_a_warning(
    trainings: dict[str, Train], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "run"
    trainings["deblock"](out, time_limit=0)
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    del state["settings"]
    torch.save(state, out / "checkpoint.pt")
    seen: list[int] = []
    trainings["deblock"](out, report=lambda done, *_: seen.append(done))
    assert seen[0] == 2
    assert "checkpoint.pt does not say with which settings it was made" in caplog.text


@pytest.mark.parametrize("model", list(MODELS))
def test_every_option_that_a_training_leaves_unread_is_refused(model: str, tmp_path: Path) -> None:
    for name in {"teacher", "codec", "classifier", "begin"} - MODELS[model].weights:
        arguments = [model, "--data", str(tmp_path), "-o", str(tmp_path / "run"), f"--{name}", "weights.safetensors"]
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 2
        assert f"training the {model} takes no --{name}" in result.output
        assert not (tmp_path / "run").exists()


def test_what_can_be_used_instead_is_said(tmp_path: Path) -> None:
    arguments = ["perceptual", "--data", str(tmp_path), "-o", str(tmp_path / "run"), "--begin", "w.safetensors"]
    assert "give the weights there" in CliRunner().invoke(command, arguments).output


@pytest.mark.parametrize("model", list(MODELS))
def test_data_that_are_missing_leave_no_run_folder(model: str, trainings: dict[str, Train], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none"):
        trainings[model](tmp_path / "run", tmp_path / "none")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.toml")))
def test_shipped_configurations_fit(name: str) -> None:
    model = name.partition("_")[0]  # codec_gpu and codec_transforms are of `train codec`
    assert read_config(CONFIGS / f"{name}.toml", model, load_recipe(model).config_class).seed >= 0


@pytest.mark.parametrize(
    ("line", "changed", "said"),
    [
        ("seed = 2026", 'seed = "2026"', "Expected `int`, got `str`"),
        ("seed = 2026", "seed = 20.5", "Expected `int`, got `float`"),
        ("seed = 2026", "seed = true", "Expected `int`, got `bool`"),
        ("seed = 2026", "seed = -1", ">= 0"),
        ("seed = 2026", "seed = 2026\nsed = 1", "unknown field `sed`"),
        ("seed = 2026", "", "missing required field `seed`"),
        ("ema = ", "ema = 7 # ", "<= 1"),
        ("gradient_clip = ", "gradient_clip = nan # ", "> 0"),
        ("held_out = ", "held_out = [1] # ", "got `array`"),
    ],
)
@pytest.mark.parametrize("model", list(MODELS))
def test_a_wrong_value_is_named(model: str, line: str, changed: str, said: str, tmp_path: Path) -> None:
    text, path = (CONFIGS / f"{model}.toml").read_text(), tmp_path / "settings.toml"
    assert line in text
    path.write_text(text.replace(line, changed, 1))
    with pytest.raises(InputError, match=r"settings\.toml: not a .* training configuration") as caught:
        read_config(path, model, load_recipe(model).config_class)
    assert said in str(caught.value)


def test_a_shipped_configuration_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kind = load_recipe("codec").config_class
    shipped = read_config(CONFIGS / "codec_gpu.toml", "codec", kind)
    assert shipped != read_config(None, "codec", kind)
    (tmp_path / "codec_gpu").mkdir()
    for name in ("codec_gpu", "codec_gpu.toml"):
        assert read_config(Path(name), "codec", kind) == shipped
    (tmp_path / "codec_gpu.toml").write_text((CONFIGS / "codec.toml").read_text())
    assert read_config(Path("codec_gpu.toml"), "codec", kind) == read_config(None, "codec", kind)


@pytest.mark.parametrize("path", ["none.toml", "runs/codec_gpu.toml"])
def test_a_configuration_that_is_not_there_is_said_with_the_shipped_ones(path: str) -> None:
    with pytest.raises(InputError, match=rf"{path}: no such file; .*: codec, codec_gpu, codec_transforms, "):
        read_config(Path(path), "codec", load_recipe("codec").config_class)


@pytest.mark.parametrize("text", ["seed = 1\n", "steps = [", "colour = 1\n"])
@pytest.mark.parametrize("model", list(MODELS))
def test_a_foreign_configuration_is_refused(model: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text(text)
    kind = load_recipe(model).config_class
    with pytest.raises(InputError, match=rf"other\.toml: not a {kind.title or model} training configuration"):
        train(load_recipe(model), Inputs([tmp_path], tmp_path / "run", path))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", ["[1, 2]", "no JSON", '{"steps": [1]}'])
def test_foreign_metadata_is_an_error_of_weights(text: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"x": torch.zeros(1)}, path, metadata={"vitiq_config": text})
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        steps_behind(path)


def test_steps_are_read_from_where_they_are_written(tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", {"x": torch.zeros(1)}, {"steps": 7})
    assert steps_behind(tmp_path / "w.safetensors") == 7
    assert steps_behind(tmp_path / "w.safetensors", "adversarial_steps") == 0
    assert steps_behind(None) == 0
