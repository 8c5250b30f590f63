"""A killed dream goes on to the same bytes; another dream's checkpoint is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import reverie
from reverie.cli import main
from reverie.errors import InputError, OutputError
from reverie.jobs import budget
from reverie.jobs.checkpoint import Checkpoint, differences

SMALL = {"objective": "stage2", "size": "72x60", "octaves": 4, "octave_scale": 1.3, "steps": 5, "precision": "fp32"}
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
# Dies as by kill -9 (no handler, no finally) when it has seen so many frames.
DYING = """
import os, signal, sys
from reverie import api
whole = api.Job.frames
def mortal(self, *arguments, **options):
    for seen, frame in enumerate(whole(self, *arguments, **options)):
        if seen == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield frame
api.Job.frames = mortal
from reverie.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 72, 3), np.uint8)).save("photo.png")
    return tmp_path / "photo.png"


def killed_after(frames: int, *arguments: str) -> None:
    command = [sys.executable, "-c", DYING, str(frames), "dream", "photo.png", "--threads=1", *FLAGS, *arguments]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL


def resumed(capsys, *arguments: str) -> str:
    assert main(["dream", "photo.png", "--threads=1", *FLAGS, "--resume", *arguments]) == 0
    return capsys.readouterr().err


# 4 octaves of 5 steps: 20 points to be killed at, of which 4, 9, 14 and 19 end an octave.
@pytest.mark.parametrize("points", [[3, 9], pytest.param(range(20), marks=pytest.mark.slow)], ids=["two", "all"])
def test_a_dream_killed_anywhere_goes_on_to_the_same_bytes(photo, capsys, points):
    main(["dream", "photo.png", "--threads=1", *FLAGS, "-o", "whole.png"])
    for point in points:
        target = f"cut-{point}.png"
        killed_after(point, "--resume", "-o", target)
        assert not Path(target).exists()
        assert Path(f"{target}.checkpoint").exists() == (point >= 4)
        said = resumed(capsys, "-o", target)
        assert ("going on after octave" in said) == (point >= 4)
        assert Path(target).read_bytes() == Path("whole.png").read_bytes()
        assert not Path(f"{target}.checkpoint").exists()
    assert not [*Path().glob(".reverie-*")]


def test_a_dream_killed_twice_goes_on_twice(photo, capsys):
    main(["dream", "photo.png", "--threads=1", *FLAGS, "-o", "whole.png"])
    killed_after(6, "--resume", "-o", "cut.png")
    killed_after(6, "--resume", "-o", "cut.png")  # of those that are left
    assert "after octave 2 of 4" in resumed(capsys, "-o", "cut.png")
    assert Path("cut.png").read_bytes() == Path("whole.png").read_bytes()


@pytest.mark.parametrize("detail", ["reinject", "lost", "carry"])
@pytest.mark.parametrize("octave", [1, 2, 3])
def test_going_on_from_each_octave_is_exact(photo, detail, octave):
    job = reverie.job(photo, detail=detail, blend=0.2, **SMALL)
    frames = list(job.frames())
    assert [frame.index for frame in frames if frame.handed is not None] == [4, 9, 14]
    handed = frames[5 * octave - 1].handed
    again = list(reverie.render(job.plan, job.source, octave=octave, passed=handed.clone()))
    assert [frame.index for frame in again] == list(range(5 * octave, 20))
    for ours, theirs in zip(again, frames[5 * octave :], strict=True):
        assert torch.equal(ours.image, theirs.image) and ours.octave == theirs.octave


KINDS = {
    "guide": {"guide": "guide.png"},
    "batch": {"count": 3},
    "tiles": {"tile": 32},
    "shifted": {"tile": 32, "tile_mode": "shifted"},
    "guide in tiles, a batch": {"guide": "guide.png", "tile": 48, "count": 2},
    "mask and color": {"mask": "guide.png", "color": "locked", "detail": "carry"},
}


def stopped_and_gone_on_with(frames: int, **values: object) -> torch.Tensor:
    """The end of a dream that saw so many frames, left its checkpoint, and was gone on with as a new job."""
    job = reverie.job("photo.png", **values)
    for seen, _ in enumerate(job.frames(Checkpoint("kept", job.record)), 1):
        if seen == frames:
            break
    again = reverie.job("photo.png", **values)
    made = list(again.frames(Checkpoint("kept", again.record)))
    assert made[0].index == frames // 2 * 2
    Path("kept").unlink()
    return made[-1].image


@pytest.mark.parametrize("values", KINDS.values(), ids=KINDS)
def test_every_kind_of_dream_goes_on_to_the_same_bytes(photo, values):
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (40, 50), np.uint8)).save("guide.png")
    values = {**SMALL, "octaves": 3, "steps": 2, "threads": 1, **values}
    whole = list(reverie.job("photo.png", **values).frames())[-1].image
    for frames in (3, 4):
        assert torch.equal(stopped_and_gone_on_with(frames, **values), whole)


def test_a_dream_that_memory_cut_into_tiles_goes_on(photo, monkeypatch):
    monkeypatch.setattr(budget, "resident", lambda: 0)
    monkeypatch.setattr(budget, "ROOM", 0)
    values = {**SMALL, "size": "300x250", "octaves": 2, "steps": 2, "objective": "stage1", "bands": 0, "threads": 1}
    job = reverie.job("photo.png", **values)
    values["memory"] = round(0.8 * budget.estimate(job.plan).peak)
    tiled = reverie.job("photo.png", **values)
    side = tiled.record.tile
    assert isinstance(side, int)
    whole = list(tiled.frames())[-1].image
    assert torch.equal(stopped_and_gone_on_with(2, **values), whole)
    # Another day less memory may be free.
    Checkpoint("kept", tiled.record).keep(next(frame for frame in tiled.frames() if frame.handed is not None))
    other = reverie.job("photo.png", **values, tile="none")
    with pytest.raises(InputError, match=f"begun in tiles of {side} px; go on with tile={side}"):
        Checkpoint("kept", other.record).found()
    assert Checkpoint("kept", reverie.job("photo.png", **values, tile=side).record).found()[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize("flags", [["--guide=guide.png"], ["--count=2"], ["--tile=32"], ["--memory=8GiB"]])
def test_every_kind_of_dream_survives_a_kill(photo, capsys, flags):
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (40, 50), np.uint8)).save("guide.png")
    main(["dream", "photo.png", "--threads=1", *FLAGS, *flags, "-o", "whole.png"])
    made = {path.name.removeprefix("whole"): path.read_bytes() for path in Path().glob("whole*.png")}
    for point in (3, 9, 12):
        killed_after(point, *flags, "--resume", "-o", f"cut{point}.png")
        resumed(capsys, *flags, "-o", f"cut{point}.png")
        assert {suffix: Path(f"cut{point}{suffix}").read_bytes() for suffix in made} == made


def test_python_keeps_and_removes_it(photo, tmp_path):
    kept = tmp_path / "kept"

    def stop(frame: reverie.Frame) -> None:
        if frame.index == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reverie.dream(photo, resume=kept, on_frame=stop, **SMALL)
    assert kept.exists()
    seen = []
    picture = reverie.dream(photo, resume=kept, on_frame=lambda frame: seen.append(frame.index), **SMALL)
    assert seen[0] == 10 and not kept.exists()
    assert torch.equal(picture.pixels, reverie.dream(photo, **SMALL).pixels)


def test_another_dreams_checkpoint_is_refused_and_kept(photo, tmp_path, capsys):
    killed_after(11, "--resume", "-o", "cut.png")
    kept = Path("cut.png.checkpoint").read_bytes()
    for change, named in (("--steps=4", "steps"), ("--seed=9", "seed"), ("--objective=stage3", "objective")):
        others = [flag for flag in FLAGS if not flag.startswith(f"--{named}=")]
        assert main(["dream", "photo.png", "--threads=1", *others, change, "--resume", "-o", "cut.png"]) == 3
        said = capsys.readouterr().err
        assert f"not the same: {named}" in said and said.count("\n") == 1
    Image.new("RGB", (72, 60)).save("photo.png")
    assert main(["dream", "photo.png", "--threads=1", *FLAGS, "--resume", "-o", "cut.png"]) == 3
    assert "the source" in capsys.readouterr().err
    assert Path("cut.png.checkpoint").read_bytes() == kept
    Path("cut.png.checkpoint").write_bytes(b"\x08" + kept[1:50])
    assert main(["dream", "photo.png", "--threads=1", *FLAGS, "--resume", "-o", "cut.png"]) == 3
    assert "damaged" in capsys.readouterr().err


def test_where_the_source_lies_does_not_matter(photo, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    killed_after(11, "--resume", "-o", "cut.png")
    photo.rename("there/renamed.png")
    assert main(["dream", "there/renamed.png", "--threads=1", *FLAGS, "--resume", "-o", "cut.png"]) == 0
    assert "going on after octave 2" in capsys.readouterr().err


def test_unasked_only_long_dreams_are_kept(photo, monkeypatch, capsys):
    killed_after(16, "-o", "cut.png")
    assert not Path("cut.png.checkpoint").exists()
    job = reverie.job(photo, **SMALL)
    frames = list(job.frames())
    patient, clock = Checkpoint("kept", job.record, patience=60), [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    patient._since = 0.0
    for frame, now, there in ((frames[4], 59, False), (frames[8], 61, False), (frames[9], 61, True)):
        clock[0] = now
        patient.keep(frame)
        assert patient.path.exists() == there


def test_a_disk_that_is_full_costs_the_checkpoint_not_the_dream(photo, monkeypatch, capsys):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reverie.jobs.checkpoint.save_file", full)
    said = resumed(capsys, "-o", "out.png")
    assert "would cost the whole dream" in said and Path("out.png").exists()


def test_of_many_only_what_is_missing_is_dreamt(photo, capsys):
    Image.new("RGB", (72, 60), "teal").save("b.png")
    command = ["dream", "photo.png", "b.png", "--octaves=1", "--steps=1", "--precision=fp32", "--resume"]
    assert main(command) == 0
    made = sorted(Path().glob("*motif*.png"))
    times = [os.stat(path).st_mtime_ns for path in made]
    made[0].unlink()
    assert main(command) == 0
    assert capsys.readouterr().err.count("is there already") == 1
    assert sorted(Path().glob("*motif*.png")) == made and os.stat(made[1]).st_mtime_ns == times[1]
    # What is there but of another recipe is not overwritten.
    assert main(["dream", "b.png", *command[3:], "--seed=5", "-o", str(made[0])]) == 5
    assert os.stat(made[0]).st_mtime_ns > times[0]
    assert os.stat(made[1]).st_mtime_ns == times[1]


def test_differences_are_named(photo):
    ours, theirs = (reverie.job(photo, **{**SMALL, "seed": seed}).record for seed in (1, 2))
    assert differences(ours, ours) == [] and differences(ours, theirs) == ["seed"]
    with pytest.raises(InputError, match="no checkpoint"):
        Checkpoint(photo, ours).found()


def test_every_guide_and_mask_counts(photo):
    for number in (1, 2, 3):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(f"{number}.png")
    values = {**SMALL, "guide": ["1.png", "2.png"]}
    ours = reverie.job(photo, **values).record
    Path("3.png").rename("1.png")  # the last guide is what it was
    theirs = reverie.job(photo, **values).record
    assert differences(ours, theirs) == ["the guide"] and differences(ours, ours) == []
    masked = {**SMALL, "objective": "stage2|1.png + stage3|2.png"}
    ours = reverie.job(photo, **masked).record
    photo.with_name("photo.png").replace("1.png")
    Image.open("2.png").save("photo.png")
    assert "the mask" in differences(ours, reverie.job("photo.png", **masked).record)


def test_what_is_not_ours_is_neither_replaced_nor_removed(photo):
    job, other = (reverie.job(photo, **{**SMALL, "seed": seed}) for seed in (1, 2))
    first = next(frame for frame in job.frames() if frame.handed is not None)
    Checkpoint("kept", other.record).keep(first)
    theirs = Path("kept").read_bytes()
    for there in (theirs, b"hi"):
        Path("kept").write_bytes(there)
        ours = Checkpoint("kept", job.record)
        assert ours.occupied() and "not of this dream" in ours.trouble
        ours.keep(first)
        ours.remove()
        assert Path("kept").read_bytes() == there and not ours.ours
    # One of the same dream, which an earlier run left, is gone on with or made anew; it goes with who did so.
    Checkpoint("kept", other.record).remove()
    assert Path("kept").exists()
    Path("kept").write_bytes(theirs)
    again = Checkpoint("kept", other.record)
    assert again.found()[0] == 1
    again.remove()
    assert not Path("kept").exists()


def test_a_checkpoint_that_cannot_be_written_is_refused_before_the_dream(photo):
    seen: list[reverie.Frame] = []
    for path, why in (("nope/x", "folder that does not exist"), ("a" * 300, "File name too long")):
        with pytest.raises(OutputError, match=why) as caught:
            reverie.dream(photo, resume=path, on_frame=seen.append, **SMALL)
        assert "\n" not in str(caught.value)
    assert seen == [] and sorted(path.name for path in Path().iterdir()) == ["photo.png"]


def test_a_checkpoint_that_cannot_be_removed_is_told_of(photo, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    job = reverie.job(photo, **SMALL)
    kept = Checkpoint("kept", job.record)
    kept.keep(next(frame for frame in job.frames() if frame.handed is not None))
    monkeypatch.setattr(Path, "unlink", refuse)
    kept.remove()
    assert "kept is not needed any more and cannot be removed (Permission denied)" in kept.trouble
