"""What is said and how files are called, whatever letters and bytes their names have."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

import reverie
from reverie.cli import main, output

QUICK = ["--size=40x32", "--steps=1", "--octaves=1", "--precision=fp32", "--threads=1"]
ODD = os.fsdecode(b"bad\xff.png")


@pytest.fixture
def odd(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        Image.effect_noise((40, 32), 60).convert("RGB").save("p.png")
        Path(ODD).write_bytes(Path("p.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    return ODD


def test_a_name_that_is_no_text_is_dreamt_told_and_replayed(odd, capsys):
    assert main(["dream", odd, "--objective=owl", "--json", *QUICK]) == 0
    rows = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    target = os.fsdecode(b"bad\xff-motif-owl.png")
    assert rows[-1]["out"] == target and Path(target).exists()
    assert main(["replay", target, "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path(target).read_bytes()
    assert main(["dream", odd, "--each-layer=stage1", *QUICK]) == 0
    assert Path(os.fsdecode(b"bad\xff-motif-each-layer.png")).exists()


def test_a_name_that_is_no_text_is_printed_and_does_not_end_the_run_of_a_folder(odd):
    command = [sys.executable, "-m", "reverie", "dream", ".", "--dry-run", *QUICK]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == ""
    assert "bad\\udcff.png -> bad\\udcff-motif" in done.stdout and "p.png -> p-motif" in done.stdout


@pytest.mark.parametrize("name", ["a" * 300, "\N{OWL}" * 100, os.fsdecode(b"\xff" * 250)])
def test_a_default_name_leaves_room_for_what_is_added(name):
    stem = output.beside(f"{name}.png", "motif", "owl").name.removesuffix("-motif-owl.png")
    assert name.startswith(stem) and 116 < len(os.fsencode(stem)) <= 120


def test_names_that_look_like_markup_stand_in_tables_as_they_are(monkeypatch):
    seen = io.StringIO()
    monkeypatch.setattr(output, "Console", lambda **_: Console(file=seen, force_terminal=True, width=80))
    output.table(["name"], [["we[bold]ird.png"], ["d[/e].png"]])
    assert "we[bold]ird.png" in seen.getvalue() and "d[/e].png" in seen.getvalue()


def test_names_that_look_like_markup_stand_over_the_bar_as_they_are(tmp_path, monkeypatch):
    seen = io.StringIO()
    monkeypatch.setattr(output, "Console", lambda **_: Console(file=seen, force_terminal=True, width=120))
    job = reverie.job(Image.effect_noise((40, 32), 60).convert("RGB"), steps=1, octaves=1, threads=1)
    for name in ("d[/e].png", "we[bold]ird.png"):
        with output.watching(name, job.plan, as_json=False, quiet=False) as listen:
            for frame in job.frames():
                listen(frame)
        assert Path(name).name in seen.getvalue()


def test_sources_are_called_what_people_call_them():
    assert [output.spoken(each) for each in (None, "-", "a/b.png")] == ["noise", "standard input", "b.png"]


@pytest.mark.parametrize("error", [
    MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you"),
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
])
def test_memory_that_does_not_suffice_is_a_sentence(error, monkeypatch, capsys) -> None:
    def tired(*_arguments, **_options):
        raise error

    monkeypatch.setattr("reverie.api.job", tired)
    assert main(["dream", "noise", "--size", "64", "--steps", "1", "-o", "x.png"]) == 2
    assert capsys.readouterr().err.strip() == (
        "reverie: the memory does not suffice; lower --size, or give less --memory so that the dream is cut into tiles."
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_stderr_costs_no_picture(tmp_path: Path) -> None:
    Image.new("RGB", (40, 32), "gray").save(tmp_path / "a.png")
    command = [sys.executable, "-m", "reverie", "dream", "a.png", "--steps", "1", "--octaves", "1", "--out", "b.png"]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(command, cwd=tmp_path, stderr=full, stdout=subprocess.DEVNULL, check=False)
    assert done.returncode == 0 and (tmp_path / "b.png").exists()
