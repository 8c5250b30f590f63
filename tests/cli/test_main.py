"""The command through its real entry point: exit codes, sentences, files left behind."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import reverie
from reverie.cli import main
from reverie.recipe.presets import preset
from tests.support.commands import HEEDING_CTRL_C, refused

QUICK = ["--size", "40x32", "--steps", "1", "--octaves", "1", "--precision", "fp32"]


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "photo.jpg"
    Image.effect_noise((80, 60), 60).convert("RGB").save(path)
    return path


def test_the_installed_command_runs():
    for command in ([sys.executable, "-m", "reverie"], [str(Path(sys.executable).with_name("reverie"))]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == reverie.__version__


def test_help_names_every_recipe_and_run_field_with_its_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["dream", "--help"]) == 0
    text = capsys.readouterr().out
    for model in (reverie.Recipe, reverie.Run):
        for name, field in model.model_fields.items():
            assert f"--{name.replace('_', '-')}" in text
            if isinstance(field.default, int | float) and not isinstance(field.default, bool):
                assert f"[default: {field.default}]" in text


def test_the_default_name_lies_beside_the_source_and_never_overwrites(photo, capsys):
    assert main(["dream", str(photo), "--objective", "0.5*owl+0.5*rose", *QUICK]) == 0
    first = photo.with_name("photo-motif-0.5-owl-0.5-rose.png")
    kept = first.read_bytes()
    assert main(["dream", "-i", str(photo), "--objective", "0.5*owl+0.5*rose", *QUICK]) == 0
    assert first.read_bytes() == kept
    assert first.with_stem(first.stem + "-2").read_bytes() == kept  # one seed, equal bytes
    assert "wrote" in capsys.readouterr().err


def test_the_default_name_has_one_suffix_whatever_the_objective_reads(photo, monkeypatch):
    monkeypatch.chdir(photo.parent)
    Image.new("L", (8, 8), 255).save("where.png")
    assert main(["dream", str(photo), "--objective", "stage2|where.png", *QUICK]) == 0
    assert photo.with_name("photo-motif-stage2-where.png").exists()


def test_a_dream_that_changes_nothing_says_so(photo, capsys, monkeypatch):
    # As where no unit answers.
    monkeypatch.setattr("reverie.ascent.rules.Ascent.step", lambda _, param, *rest: (param, None))
    assert main(["dream", str(photo), *QUICK]) == 0
    assert "Nothing changed" in capsys.readouterr().err


def test_another_seed_differs(photo, tmp_path):
    for seed in (0, 1):
        main(["dream", str(photo), "-o", str(tmp_path / f"{seed}.png"), "--seed", str(seed), *QUICK])
    pixels = [np.asarray(Image.open(tmp_path / f"{seed}.png")) for seed in (0, 1)]
    assert (pixels[0] != pixels[1]).any()


def test_noise_is_dreamt_where_no_source_is_given(photo, tmp_path):
    assert main(["dream", "--quiet", *QUICK]) == 0
    assert main(["dream", "noise", "--quiet", *QUICK]) == 0
    made = sorted(each.name for each in tmp_path.glob("noise-*.png"))
    assert len(made) == 2


def test_several_sources_go_to_a_folder_and_a_bad_one_costs_only_itself(photo, tmp_path, capsys):
    sources, out = tmp_path / "in", tmp_path / "out"
    sources.mkdir()
    out.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 32), "gray").save(sources / name)
    (sources / "bad.png").write_text("no picture")
    assert main(["dream", str(sources), "--out", str(out), *QUICK]) == 3
    assert len(list(out.iterdir())) == 2
    assert "bad.png" in capsys.readouterr().err


def test_namesakes_in_one_run_do_not_replace_each_other(photo, tmp_path):
    (tmp_path / "out").mkdir()
    for name in ("a.png", "a.jpg"):
        Image.effect_noise((40, 32), 60).convert("RGB").save(tmp_path / name)
    assert main(["dream", "a.png", "a.jpg", "--out", "out", "--overwrite", *QUICK]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_names_too_long_for_a_file_system_are_shortened_or_refused(photo, tmp_path, capsys):
    long = photo.rename(photo.with_name("a" * 230 + ".jpg"))
    assert main(["dream", str(long), "--quiet", *QUICK]) == 0
    refused(capsys, 3, "dream", "a" * 300 + ".jpg")
    refused(capsys, 5, "dream", long, "-o", "a" * 300 + ".png")


def test_a_reader_that_leaves_early_is_told(photo, tmp_path):
    command = [sys.executable, "-m", "reverie", "dream", "photo.jpg", "-o", "x.png", "--json", "--steps", "300"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.stdout.readline()
        running.stdout.close()
        said = running.stderr.read()
    assert running.returncode == 5
    assert "stdout was closed" in said
    assert "Traceback" not in said


def test_json_prints_a_line_per_frame_and_one_for_the_result(photo, tmp_path, capsys):
    target = tmp_path / "o.png"
    assert main(["dream", str(photo), "-o", str(target), "--json", "--size", "60", "--steps", "2"]) == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    frames, last = lines[:-1], lines[-1]
    assert [each["index"] for each in frames] == list(range(frames[0]["total"]))
    assert all(np.isfinite(each["score"]) for each in frames)
    assert last["out"] == str(target)
    assert err == ""


def read_all(terminal: int) -> str:
    """What was shown on a pseudo-terminal until its other end was closed."""
    parts = []
    with contextlib.suppress(OSError):  # how Linux says that the other end is gone
        while part := os.read(terminal, 65536):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


def test_a_terminal_sees_one_bar_with_octave_step_and_score(photo, tmp_path):
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "reverie", "dream", "photo.jpg", "-o", "x.png", *QUICK]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        shown = read_all(ours)
    assert "octave 1/1" in shown
    assert "step 1/1" in shown
    assert "wrote x.png" in shown


def test_no_bar_without_a_terminal_and_nothing_when_quiet(photo, tmp_path, capsys):
    main(["dream", str(photo), "-o", str(tmp_path / "q.png"), "--quiet", *QUICK])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_replay_on_the_command_line(photo, tmp_path, suffix):
    first = tmp_path / f"first{suffix}"
    main(["dream", str(photo), "-o", str(first), "--objective", "-stage2", *QUICK])
    assert main(["replay", str(first)]) == 0
    assert (tmp_path / f"first-replay{suffix}").read_bytes() == first.read_bytes()
    assert main(["replay", str(first), "--set", "steps=2", "--set", "seed=4", "-o", str(tmp_path / "c.png")]) == 0
    assert reverie.replay(tmp_path / "c.png").record.recipe.steps == 2


def test_preset_recipe_file_and_options_win_in_that_order(photo, tmp_path):
    (tmp_path / "r.toml").write_text('seed = 7\nsteps = 1\noctaves = 1\nsize = "40x32"\n')
    assert main(["dream", str(photo), "--preset", "owls", "--recipe", "r.toml", "--seed", "8", "-o", "x.png"]) == 0
    recipe = reverie.replay(tmp_path / "x.png").record.recipe
    assert (recipe.objective, recipe.seed, recipe.steps) == (preset("owls")["objective"], 8, 1)


@pytest.mark.parametrize(("arguments", "words"), [
    (["--steps", "0"], "--steps must be"),
    (["--steps", "-3"], "--steps must be"),
    (["--steps", "many"], "--steps"),
    (["--size", "0"], "--size must be"),
    (["--size", "-5"], "--size must be"),
    (["--size", "1x2x3"], "--size must be"),
    (["--octaves", "0"], "--octaves must be"),
    (["--octaves", "65"], "--octaves must be"),
    (["--octave-scale", "1"], "--octave-scale must be"),
    (["--octave-scale", "nan"], "--octave-scale must be"),
    (["--step-size", "nan"], "--step-size must be"),
    (["--step-size", "inf"], "--step-size must be"),
    (["--blend", "2"], "--blend must be"),
    (["--seed", "-1"], "--seed must be"),
    (["--detail", "keep"], "--detail"),
    (["--objektive", "owl"], "--objective"),
    (["--network", "motiv"], "'motif'"),
    (["--objective", "owll"], "'owl'"),
    (["--objective", "class:owll"], "'owl'"),
    (["--objective", "layer:stag3"], "'stage3'"),
    (["--objective", "stage3:9999"], "no 9999"),
    (["--objective", "stage3:-1"], "channel"),
    (["--objective", "nan*owl"], "cannot be read"),
    (["--objective", "0*owl"], "from 1e-12 to 1e+12"),
    (["--objective", "1e300*owl"], "from 1e-12 to 1e+12"),
    (["--size", "100000x100000"], "300 megapixels"),
    (["--likeness", "1", "--tile", "48", "--tile-mode", "shifted"], "--tile-mode exact"),
    (["--objective", "stage2:3@0.2,0.7", "--tile", "48", "--tile-mode", "shifted"], "--tile-mode exact"),
    (["--objective", "owl +"], "ends where"),
    (["--preset", "owlz"], "'owls'"),
    (["--device", "abacus"], "--device"),
    (["--device", "cuda:7"], "cuda:7"),
    (["--threads", "0"], "--threads must be"),
])
def test_usage_is_refused_with_2(photo, capsys, arguments, words):
    assert words in refused(capsys, 2, "dream", photo, *arguments)


def test_unknown_commands_and_malformed_changes_are_usage(photo, capsys):
    assert "dream" in refused(capsys, 2, "dreem")
    assert "NAME=VALUE" in refused(capsys, 2, "replay", photo, "--set", "steps")


def test_octaves_that_the_picture_cannot_hold_are_clamped_with_a_note(photo, tmp_path, capsys):
    assert main(["dream", str(photo), "--octaves", "64", "--steps", "1", "-o", "x.png"]) == 0
    assert "octaves, not 64" in capsys.readouterr().err


def broken_files(folder: Path) -> dict[str, Path]:
    folder.mkdir()
    encoded = io.BytesIO()
    Image.effect_noise((200, 200), 50).save(encoded, "JPEG")
    contents = {
        "empty.jpg": b"", "text.jpg": b"this is no picture", "truncated.jpg": encoded.getvalue()[:2000],
        "phone.heic": b"\0\0\0\x18ftypheic" + b"\0" * 64,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "nothing").mkdir()
    return {path.name: path for path in folder.iterdir()} | {"missing.jpg": folder / "missing.jpg"}


@pytest.mark.parametrize("name", ["empty.jpg", "text.jpg", "truncated.jpg", "phone.heic", "nothing", "missing.jpg"])
def test_bad_input_is_refused_with_3(photo, tmp_path, capsys, name):
    path = broken_files(tmp_path / "bad")[name]
    assert str(path.name) in refused(capsys, 3, "dream", path)


def test_a_bomb_is_refused_with_3(photo, capsys):
    assert "pixels" in refused(capsys, 3, "dream", photo, "--max-pixels", "1000")


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_bad_weights_are_refused_with_3_and_run_nothing(photo, tmp_path, capsys):
    (tmp_path / "cut.safetensors").write_bytes(b"\xff" * 8 + b"{")
    (tmp_path / "cut.pth").write_bytes(b"PK\x03\x04" + b"\0" * 50)
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"features.0.weight": Bomb()}))
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pth")
    for name in ("cut.safetensors", "cut.pth", "text.pth", "evil.pth", "other.pth", "absent.pth"):
        said = refused(capsys, 3, "dream", photo, "--network", "squeezenet1_0", "--weights", name)
        assert name in said
    assert not (tmp_path / "exploded").exists()


def test_absent_weights_are_4(photo, capsys):
    assert "--weights" in refused(capsys, 4, "dream", photo, "--network", "squeezenet1_0")


def test_bad_output_is_refused_with_5_before_any_work(photo, tmp_path, capsys):
    (tmp_path / "there.png").write_bytes(b"precious")
    assert "--overwrite" in refused(capsys, 5, "dream", photo, "-o", "there.png")
    assert (tmp_path / "there.png").read_bytes() == b"precious"
    refused(capsys, 5, "dream", photo, "-o", "no/such/folder/x.png")
    assert ".png" in refused(capsys, 5, "dream", photo, "-o", "x.docx")
    assert "folder" in refused(capsys, 5, "dream", photo, photo, "-o", "x.png")
    assert main(["dream", str(photo), "-o", "there.png", "--overwrite", "--quiet", *QUICK]) == 0
    with Image.open(tmp_path / "there.png") as written:
        assert written.size == (40, 32)


def test_a_full_disk_is_5_and_leaves_nothing(photo, tmp_path, capsys, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "disk is full" in refused(capsys, 5, "dream", photo, "-o", "x.png", *QUICK)


# What a shell starts in the background ignores Ctrl-C, and so does all that it starts.
def test_ctrl_c_is_130_and_leaves_nothing(photo, tmp_path):
    command = [*HEEDING_CTRL_C, "dream", "photo.jpg", "-o", "x.png", "--json", "--steps", "5000"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.stdout.readline()
        time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in said and "Traceback" not in said
    assert {each.name for each in tmp_path.iterdir()} == {"photo.jpg"}


def test_a_bug_of_ours_is_1(photo, capsys, monkeypatch):
    def broken(*_arguments, **_options):
        raise RuntimeError("oops")

    monkeypatch.setattr("reverie.api.job", broken)
    assert main(["dream", str(photo)]) == 1
    assert "bug of ours" in capsys.readouterr().err


def test_networks_layers_presets_and_doctor_tell_tables_and_json(capsys):
    for command in (["networks"], ["layers", "motif"], ["layers", "squeezenet1_0"], ["presets"], ["doctor"]):
        assert main(command) == 0
        assert len(capsys.readouterr().out.splitlines()) >= 1
        assert main([*command, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)
    main(["layers", "squeezenet1_0", "--json"])
    fire = next(each for each in json.loads(capsys.readouterr().out) if "fire5" in each["aliases"])
    assert (fire["name"], fire["kind"], fire["channels"], fire["stride"]) == ("features.7", "block", 256, 8)
