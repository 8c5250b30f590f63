"""``reverie film`` through the real entry point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("av")
pytest.importorskip("cv2")

from reverie.cli import main
from reverie.film.reading.clip import Clip
from reverie.film.settings import Steps, Video, Zoom
from tests.oracle import clips
from tests.support.commands import HEEDING_CTRL_C, refused
from tests.support.films import moving

QUICK = ["--steps", "1", "--octaves", "1", "--objective", "stage1", "--precision", "fp32"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.effect_noise((64, 48), 80).convert("RGB").save("photo.png")
    clips.write(tmp_path / "clip.mp4", moving(4), rate=12, sound="aac", seconds=0.3)
    return tmp_path


def test_help_names_every_setting(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for command, model in (("steps", Steps), ("zoom", Zoom), ("video", Video)):
        assert main(["film", command, "--help"]) == 0
        text = capsys.readouterr().out
        assert all(f"--{name.replace('_', '-')}" in text for name in model.model_fields)


def test_three_films_and_their_replays(here, capsys):
    zoom = ["film", "zoom", "photo.png", "--duration", "0.5s", "--fps", "8", "--at", "0s", "zoom=1.1", "--at", "0.4s"]
    assert main([*zoom, "zoom=2", "rotate=9", *QUICK]) == 0
    assert main(["film", "steps", "photo.png", "--hold", "0.2", *QUICK, "--out", "steps.gif"]) == 0
    assert main(["film", "video", "clip.mp4", *QUICK, "--poster", "--sheet"]) == 0
    assert "wrote clip-motif-stage1-video.mp4" in capsys.readouterr().err
    films = [Path("photo-motif-stage1-zoom.mp4"), Path("steps.gif"), Path("clip-motif-stage1-video.mp4")]
    assert [Clip(films[0]).count, Clip(films[2]).count] == [4, 4]
    assert Clip(films[2]).sound == ("aac",)
    for path in films:
        assert main(["replay", str(path), "--quiet"]) == 0
        assert path.with_stem(path.stem + "-replay").read_bytes() == path.read_bytes()
    assert not list(here.glob("*.reel"))
    assert Path("clip-motif-stage1-video-poster.png").exists() and Path("clip-motif-stage1-video-sheet.png").exists()


def test_a_loop_is_shot_and_replayed(here):
    assert main(["film", "zoom", "photo.png", "--loop", "--duration", "0.1s", *QUICK, "--out", "loop.mp4"]) == 0
    assert Clip(Path("loop.mp4")).count == 2
    assert main(["replay", "loop.mp4"]) == 0
    assert Path("loop-replay.mp4").read_bytes() == Path("loop.mp4").read_bytes()


def test_a_film_of_frames_is_replaced_when_asked(here, capsys):
    command = ["film", "zoom", "photo.png", "--duration", "0.2s", "--fps", "10", *QUICK, "--out", "frames"]
    assert main(command) == 0
    there = sorted(each.name for each in Path("frames").iterdir())
    assert there == ["000000.png", "000001.png", "film.json"]
    capsys.readouterr()
    assert main(command) == 5
    said = capsys.readouterr().err
    assert "frames exists already" in said and "--overwrite" in said and said.count("\n") == 1
    assert main([*command, "--overwrite", "--seed", "3"]) == 0
    assert sorted(each.name for each in Path("frames").iterdir()) == there
    # Any other folder takes the film under its own name.
    Path("frames/note.txt").write_text("mine")
    assert main([*command, "--overwrite"]) == 0
    assert Path("frames/photo-motif-stage1-zoom.mp4").exists() and Path("frames/note.txt").exists()


def test_the_default_name_never_overwrites_and_json_tells_every_frame(here, capsys):
    for _ in range(2):
        assert main(["film", "video", "clip.mp4", "--json", *QUICK]) == 0
    lines = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    assert [each["frame"] for each in lines if "frame" in each] == [0, 1, 2, 3] * 2
    assert [each["out"] for each in lines if "out" in each] == [
        "clip-motif-stage1-video.mp4",
        "clip-motif-stage1-video-2.mp4",
    ]


@pytest.mark.parametrize(
    ("code", "arguments", "sentence"),
    [
        (3, ["video", "none.mp4"], "does not exist"),
        (3, ["video", "photo.png"], "film zoom"),
        (2, ["video", "clip.mp4", "--range", "5s..2s"], "--range must be"),
        (2, ["video", "clip.mp4", "--range", "5s..9s"], "shows nothing of it"),
        (2, ["video", "clip.mp4", "--count", "2"], "leave --count 2 out"),
        (2, ["zoom", "photo.png", "--duration", "0s"], "--duration"),
        (2, ["zoom", "photo.png", "--at", "1s", "zooom=2", *QUICK], "did you mean 'zoom'"),
        (5, ["zoom", "photo.png", "--out", "film.xyz"], "no suffix of a film"),
        (5, ["zoom", "photo.png", "--out", "photo.png"], "no suffix of a film"),
        (5, ["video", "clip.mp4", "--out", "clip.mp4"], "exists already"),
    ],
)
def test_what_cannot_be_is_one_sentence(here, capsys, code, arguments, sentence):
    assert sentence in refused(capsys, code, "film", *arguments)


@pytest.mark.parametrize(("arguments", "words"), [
    (["--plots", "none-here"], "--plots is for pictures; leave it out"), (["--show"], "--show is for pictures"),
    (["--quality"], "--quality is for pictures"), (["--resume"], "goes on by itself"),
    (["--format", "tif"], "the suffix of --out"), (["--plots-every", "3"], "--plots-every is for pictures"),
    (["--depth", "16"], "leave --depth 16 out"),
])  # fmt: skip
def test_a_film_refuses_what_is_for_pictures(here, capsys, arguments, words):
    assert main(["film", "steps", "photo.png", "--hold", "0", *QUICK, "--out", "film.gif"]) == 0
    capsys.readouterr()
    before = sorted(here.iterdir())
    assert words in refused(capsys, 2, "replay", "film.gif", *arguments)
    assert sorted(here.iterdir()) == before


def test_a_film_has_8_bits(here, capsys):
    assert "--depth" in refused(capsys, 2, "film", "zoom", "photo.png", "--depth", "16", *QUICK)


def test_a_strange_film_has_no_record(here, capsys):
    assert "carries no record" in refused(capsys, 3, "replay", "clip.mp4")


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(here):
    command = [*HEEDING_CTRL_C, "film", "zoom", "photo.png", "--duration", "2s", "--fps", "10", *QUICK,
               "--threads", "1"]  # fmt: skip
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    reel = here / "photo-motif-stage1-zoom.mp4.reel"
    for _ in range(600):
        if (reel / "000003.png").exists():
            break
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 130 and "Traceback" not in said
    assert f"frames are safe in {reel.name}; the same command goes on" in said
    assert main([*command[3:], "--out", "whole.mp4"]) == 0
    assert main(command[3:]) == 0
    assert (here / "photo-motif-stage1-zoom.mp4").read_bytes() == (here / "whole.mp4").read_bytes()
    assert not reel.exists()
