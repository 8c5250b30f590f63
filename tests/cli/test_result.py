"""Where a dream goes: standard input and output, formats, one dream per layer, the viewer."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import reverie
from reverie import files
from reverie.cli import main, result

QUICK = ["--size=48x40", "--steps=1", "--octaves=1", "--precision=fp32", "--threads=1"]


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (40, 48, 3), np.uint8)).save("photo.png")
    return Path("photo.png")


def piped(given: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "reverie", *arguments], input=given, capture_output=True, check=False)


@pytest.mark.parametrize(("format", "kind"), [(None, "PNG"), ("tif", "TIFF")])
def test_a_picture_goes_in_and_out_by_pipes(photo, format, kind):
    chosen = [] if format is None else ["--format", format]
    done = piped(photo.read_bytes(), "dream", "-", "--out", "-", *QUICK, *chosen)
    assert done.returncode == 0, done.stderr
    suffix = ".png" if format is None else f".{format}"
    reverie.dream(photo, size="48x40", steps=1, octaves=1, precision="fp32", threads=1).save(f"file{suffix}")
    with Image.open(io.BytesIO(done.stdout)) as seen:
        assert seen.format == kind
    assert (files.load(done.stdout).pixels == files.load(f"file{suffix}").pixels).all()
    assert "wrote to standard output" in done.stderr.decode() and [*Path().glob("*stdin*")] == []
    if kind == "PNG":  # and its Record is replayed by pipes too
        again = piped(done.stdout, "replay", "-", "--source", "photo.png", "-o", "-")
        assert again.stdout == done.stdout


def test_standard_input_has_a_name_of_its_own_and_feeds_other_commands(photo, monkeypatch, capsys):
    class Given:
        @property
        def buffer(self) -> io.BytesIO:
            return io.BytesIO(photo.read_bytes())

    monkeypatch.setattr("sys.stdin", Given())
    assert main(["dream", "-", "--objective", "owl", *QUICK]) == 0
    assert Path("stdin-motif-owl.png").exists()
    assert main(["inspect", "-", "--threads=1", "--sheet", "."]) == 0
    assert Path("stdin-heat.png").exists()
    assert "classes:" in capsys.readouterr().out
    assert main(["inspect", "-", "--threads=1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["picture"] == "-"
    assert main(["dream", "-", "--dry-run", *QUICK]) == 0
    assert "standard input -> stdin-motif" in capsys.readouterr().out
    assert main(["layers", "motif", "-", "--sheet", "s.png", "--kind=conv", "--per-page=1", *QUICK]) == 0
    assert Path("s.png").exists()


def test_standard_input_is_read_once_for_all_that_is_made_of_it(photo, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(photo.read_bytes())))
    assert main(["dream", "-", "--each-layer", "stage1,stage2", *QUICK]) == 0
    assert Path("stdin-motif-each-layer.png").exists()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(photo.read_bytes())))
    assert main(["visualize", "owl", "rose", "--from", "-", *QUICK]) == 0
    assert Path("stdin-motif-rose.png").exists()


def test_a_closed_standard_stream_is_said(photo, monkeypatch, capsys):
    with monkeypatch.context() as closed:
        closed.setattr("sys.stdin", None)
        assert main(["dream", "-", *QUICK]) == 3
        assert "Standard input is closed" in capsys.readouterr().err
    with monkeypatch.context() as closed:
        closed.setattr("sys.stdout", None)
        assert main(["dream", "photo.png", "-o", "-", *QUICK]) == 5
    err = capsys.readouterr().err
    assert "closed" in err and err.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [
    ["dream", "photo.png", "--out", "-", *QUICK], ["dream", "photo.png", "--json", *QUICK], ["presets"], ["--help"],
])
def test_standard_output_without_room_is_one_sentence(photo, arguments):
    command = [sys.executable, "-m", "reverie", *arguments]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr.startswith("reverie: Standard output cannot be written") and done.stderr.count("\n") == 1


def test_a_listing_that_is_cut_short_says_nothing_of_a_dream(photo):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "reverie", "presets"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (5, "")


def test_a_lone_hyphen_is_a_pipe_and_nothing_else_is():
    assert [result.piped(each) for each in ("-", "--out=-")] == [result.TOKEN, f"--out={result.TOKEN}"]
    for token in ("./-", "--quiet", "-q", "a-", "x=-", "--objective=-owl", "--"):
        assert result.piped(token) == token


@pytest.mark.parametrize("command", [
    "dream photo.png --mask -", "dream photo.png --guide=-", "dream photo.png --guide a.png --guide -",
    "dream photo.png --recipe -", "dream photo.png --weights -", "dream photo.png --plots -", "dream --objective -",
    "dream --steps -", "motifs --out -", "layers motif --sheet -", "layers motif --diagram -", "weights import -",
    "replay photo.png --source -", "replay photo.png --asset=-", "film zoom photo.png --out -", "film video -",
    "replay photo.mp4 --out -", "doctor -",
])
def test_where_no_pipe_can_go_one_sentence_says_so_and_calls_it_as_it_was_typed(photo, capsys, command):
    assert main(command.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "not -," in err or "'-'" in err or '"-"' in err or "standard" in err
    assert result.TOKEN not in err and "x00" not in err
    assert [each.name for each in Path().iterdir()] == ["photo.png"]


def test_bad_input_by_a_pipe_is_one_sentence_and_nothing_comes_out(photo):
    done = piped(b"nonsense", "dream", "-", "-o", "-")
    assert done.returncode == 3 and done.stdout == b""
    assert done.stderr.decode().startswith("reverie: The picture is no picture") and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(("arguments", "words"), [
    (["-o", "-", "--json"], "--json"), (["-o", "-", "--resume"], "--resume"), (["-o", "-", "--show"], "--show"),
    (["photo.png", "-o", "-"], "2 pictures"), (["-o", "-", "--each-layer", "stage1"], "2 pictures"),
    (["-o", "x.jpg", "--format", "png"], "--format"), (["--format", "gif"], "--format"),
    (["--each-layer", "stage1,stag2"], "'stage2'"), (["--each-layer", ","], "names no layer"),
    (["--each-layer", "stage1", "--objective", "owl"], "--objective"),
])
def test_what_does_not_go_together_is_refused(photo, capsys, arguments, words):
    assert main(["dream", "photo.png", *arguments]) == 2
    out, err = capsys.readouterr()
    assert words in err and err.count("\n") == 1 and out == ""
    assert sorted(each.name for each in Path().iterdir()) == ["photo.png"]


def test_depth_is_refused_before_any_work(photo, capsys):
    for more in (["-o", "x.jpg"], ["--format", "webp"], ["-o", "-", "--format", "jpg"]):
        assert main(["dream", "missing.png", "--depth=16", *more]) == 5
        assert "--depth 16" in capsys.readouterr().err


def test_the_format_names_the_default_file(photo):
    assert main(["dream", "photo.png", "--objective=owl", "--format=webp", *QUICK]) == 0
    with Image.open("photo-motif-owl.webp") as seen:
        assert seen.format == "WEBP"


def test_one_dream_for_each_layer_and_a_sheet(photo, capsys):
    Path("out").mkdir()
    command = ["dream", "photo.png", "noise", "--each-layer", "stage1, stage3", "--preset", "owls", "-o", "out", *QUICK]
    assert main(command) == 0
    names = {each.name for each in Path("out").iterdir()}
    assert names == {f"{source}-motif-{what}.png" for source in ("photo", "noise")
                     for what in ("stage1", "stage3", "each-layer")}
    assert reverie.replay("out/photo-motif-stage3.png").record.recipe.objective == 'layer:"stage3"'
    pictures = [np.asarray(Image.open(f"out/photo-motif-{name}.png")) for name in ("stage1", "stage3")]
    assert (pictures[0] != pictures[1]).any()
    sheet = np.asarray(Image.open("out/photo-motif-each-layer.png"))
    for picture in pictures:  # each stands in the sheet, pixel by pixel
        corners = np.argwhere((sheet == picture[0, 0]).all(-1))
        cells = [sheet[y:y + 40, x:x + 48] for y, x in corners]
        assert any(cell.shape == picture.shape and (cell == picture).all() for cell in cells)
    assert main([*command, "--resume"]) == 0
    assert capsys.readouterr().err.count("is there already") == 4


def test_a_sheet_of_layers_shows_every_picture_of_a_batch(photo):
    assert main(["dream", "noise", "--each-layer", "stage1,stage2", "--count=2", *QUICK]) == 0
    sheet = np.asarray(Image.open("noise-motif-each-layer.png"))
    for name in ("stage1-1", "stage1-2", "stage2-1", "stage2-2"):
        picture = np.asarray(Image.open(f"noise-motif-{name}.png"))
        corners = np.argwhere((sheet == picture[0, 0]).all(-1))
        assert any(np.array_equal(sheet[y:y + 40, x:x + 48], picture) for y, x in corners)


def test_the_viewer_is_called_or_missed_in_one_sentence(photo, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["dream", "photo.png", "--objective=owl", "--show", *QUICK]) == 0
    assert "no desktop here" in capsys.readouterr().err
    viewer = tmp_path / "xdg-open"
    viewer.write_text('#!/bin/sh\necho "$1" > shown\n')
    viewer.chmod(viewer.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("DISPLAY", ":0")
    started = []
    real = subprocess.Popen
    monkeypatch.setattr(result.subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)))
    result.shown(Path("photo-motif-owl.png"))
    assert started[0].wait(10) == 0
    assert Path("shown").read_text() == "photo-motif-owl.png\n"
