"""What a dream does not cost: other people's files, and itself where saving it meets an obstacle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import reverie
from reverie import api, files
from reverie.cli import main
from reverie.errors import InputError

QUICK = ["--size=48x40", "--steps=1", "--octaves=1", "--precision=fp32", "--threads=1", "--objective=stage2"]


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (40, 48, 3), np.uint8)).save("photo.png")
    return Path("photo.png")


def names() -> list[str]:
    return sorted(each.name for each in Path().iterdir())


def meanwhile(monkeypatch: pytest.MonkeyPatch, *files: str) -> None:
    """Somebody else writes ``files`` while the first frame is made."""
    whole = api.Job.frames

    def frames(self: api.Job, *arguments: Any, **options: Any) -> Iterator[reverie.Frame]:
        for frame in whole(self, *arguments, **options):
            for file in files:
                Path(file).write_text("theirs")
            yield frame

    monkeypatch.setattr(api.Job, "frames", frames)


def undreamt(monkeypatch: pytest.MonkeyPatch) -> None:
    def frames(*_: Any, **__: Any) -> Iterator[reverie.Frame]:
        raise AssertionError("a dream began")

    monkeypatch.setattr(api.Job, "frames", frames)


def test_a_checkpoint_of_another_dream_stays_and_is_told_of_once(photo, capsys):
    Path("q.png.checkpoint").write_text("hi")
    assert main(["dream", "photo.png", *QUICK, "--out", "q.png"]) == 0
    assert Path("q.png.checkpoint").read_text() == "hi" and Path("q.png").exists()
    assert capsys.readouterr().err.count("q.png.checkpoint is not of this dream and stays as it is") == 1


@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_folder_called_like_the_checkpoint_costs_no_picture(photo, capsys, resume):
    Path("q.png.checkpoint").mkdir()
    code = main(["dream", "photo.png", *QUICK, "--out", "q.png", *resume])
    said = capsys.readouterr().err
    assert code == (3 if resume else 0) and Path("q.png").exists() == (not resume)
    assert Path("q.png.checkpoint").is_dir() and "Traceback" not in said


def test_a_name_with_no_room_for_a_checkpoint_is_good_without_resume(photo, capsys):
    name = "a" * 250 + ".png"
    assert main(["dream", "photo.png", *QUICK, "--out", name, "--resume"]) == 5
    said = capsys.readouterr().err
    assert "File name too long" in said and said.count("\n") == 1
    assert main(["dream", "photo.png", *QUICK, "--out", name]) == 0
    assert Path(name).exists() and capsys.readouterr().err == f"reverie: wrote {name}\n"


def test_a_name_of_ours_that_is_taken_meanwhile_gives_way_to_the_next(photo, monkeypatch, capsys):
    meanwhile(monkeypatch, "photo-motif-stage2.png")
    assert main(["dream", "photo.png", *QUICK]) == 0
    assert Path("photo-motif-stage2.png").read_text() == "theirs"
    assert "wrote photo-motif-stage2-2.png" in capsys.readouterr().err
    assert reverie.replay("photo-motif-stage2-2.png").record.recipe.objective == "stage2"


def test_a_name_that_was_asked_for_is_not_exchanged_for_another(photo, monkeypatch, capsys):
    meanwhile(monkeypatch, "q.png")
    assert main(["dream", "photo.png", *QUICK, "--out", "q.png"]) == 5
    assert Path("q.png").read_text() == "theirs" and "exists already" in capsys.readouterr().err
    assert names() == ["photo.png", "q.png"]


def test_a_sheet_shows_the_pictures_where_they_were_written(photo, monkeypatch):
    Path("out").mkdir()
    meanwhile(monkeypatch, "out/photo-motif-stage1.png")
    arguments = [each for each in QUICK if "objective" not in each]
    assert main(["dream", "photo.png", *arguments, "--each-layer=stage1", "--out=out"]) == 0
    made = np.asarray(Image.open("out/photo-motif-stage1-2.png"))
    sheet = np.asarray(Image.open("out/photo-motif-each-layer.png"))
    corners = np.argwhere((sheet == made[0, 0]).all(-1))
    assert any(np.array_equal(sheet[y:y + 40, x:x + 48], made) for y, x in corners)


def test_a_record_that_does_not_fit_is_refused_before_the_dream(photo, monkeypatch, capsys):
    undreamt(monkeypatch)
    Path("guides").mkdir()
    for number in range(3):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(f"guides/{number}.png")
    monkeypatch.setattr("reverie.files.writing._LONGEST_COMMENT", 1500)
    for out in (["--out=many.jpg"], ["--format=jpg"]):
        assert main(["dream", "photo.png", *QUICK, "--guide=guides", *out]) == 5
        said = capsys.readouterr().err
        assert "cannot hold a Record of" in said and "--no-metadata" in said and said.count("\n") == 1
    monkeypatch.setattr("reverie.files.metadata.LONGEST_TEXT", 1500)
    assert main(["dream", "photo.png", *QUICK, "--guide=guides", "--out=many.png"]) == 5
    assert "1500 at most; use --no-metadata" in capsys.readouterr().err
    assert names() == ["guides", "photo.png"]


def test_a_text_is_refused_just_where_it_cannot_be_written(tmp_path):
    room = 65_533 - len("reverie: ")
    pixels = files.load(_picture(tmp_path)).pixels
    files.check_text("a.jpg", "JPEG", "x" * room)
    files.save(tmp_path / "a.jpg", pixels, text="x" * room)
    assert files.read_text(tmp_path / "a.jpg") == "x" * room
    for kind, size in (("JPEG", room + 1), ("PNG", 1_000_001)):
        with pytest.raises(reverie.ReverieError, match="cannot hold a Record"):
            files.check_text("a", kind, "x" * size)
        with pytest.raises(reverie.ReverieError, match="cannot be encoded"):
            files.save(tmp_path / f"b.{kind.lower()}", pixels, text="x" * size)


def _picture(folder: Path) -> Path:
    Image.new("RGB", (8, 8)).save(folder / "p.png")
    return folder / "p.png"


def test_resuming_many_needs_their_records(photo, monkeypatch, capsys):
    undreamt(monkeypatch)
    Image.new("RGB", (48, 40)).save("b.png")
    for more in (["b.png"], ["--each-layer=stage1"]):
        chosen = [each for each in QUICK if "objective" not in each]
        assert main(["dream", "photo.png", *more, *chosen, "--resume", "--no-metadata"]) == 2
        said = capsys.readouterr().err
        assert "--resume" in said and "--no-metadata" in said and said.count("\n") == 1


def test_one_picture_is_resumed_without_its_record(photo):
    assert main(["dream", "photo.png", *QUICK, "--resume", "--no-metadata", "--out=q.png"]) == 0
    assert files.read_text("q.png") is None


def test_plots_take_nobodys_place(photo, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    Path("plots").mkdir()
    command = ["dream", "photo.png", *QUICK, "--plots=plots"]
    for name in ("scores", "gradient-1-0001", "heat-stage2"):
        with monkeypatch.context() as patch:
            undreamt(patch)
            theirs = Path(f"plots/w-{name}.png")
            theirs.write_text("theirs")
            for more in ([], ["--resume"]):
                assert main([*command, "--out=w.png", *more]) == 5
                said = capsys.readouterr().err
                assert f"{theirs} exists already" in said and "--overwrite" in said and said.count("\n") == 1
            assert theirs.read_text() == "theirs"
            theirs.unlink()
    assert main([*command, "--out=w.png"]) == 0
    Path("w.png").unlink()
    assert main([*command, "--out=w.png"]) == 5  # ours, but no part of this run
    assert main([*command, "--out=w.png", "--resume"]) == 0
    assert main([*command, "--out=w.png", "--overwrite"]) == 0


def test_a_sheet_that_is_not_ours_stays_when_a_run_goes_on(photo, capsys):
    command = ["dream", "photo.png", "--each-layer=stage1", "--resume", *[e for e in QUICK if "objective" not in e]]
    assert main(command) == 0
    sheet = Path("photo-motif-each-layer.png")
    with pytest.raises(InputError, match="is a contact sheet, no dream"):
        reverie.replay(sheet)
    first = sheet.read_bytes()
    assert main(command) == 0  # drawn anew in its place
    assert sheet.read_bytes() == first and not Path("photo-motif-each-layer-2.png").exists()
    sheet.write_text("theirs")
    assert main(command) == 0
    assert sheet.read_text() == "theirs" and Path("photo-motif-each-layer-2.png").read_bytes() == first


@pytest.mark.parametrize(("options", "why"), [
    (["--mask=black.png"], "the mask is black all over"),
    (["--blend=1"], "--blend 1 is the source alone"),
])
def test_what_held_the_picture_back_is_told_truly(photo, capsys, options, why):
    Image.new("L", (48, 40)).save("black.png")
    assert main(["dream", "photo.png", *QUICK, *options, "--out=q.png"]) == 0
    said = capsys.readouterr().err
    assert f"Nothing changed: {why}" in said and "objective" not in said


def test_a_number_of_a_picture_that_cannot_be_is_refused_before_the_dream(photo, monkeypatch, capsys):
    assert main(["dream", "photo.png", *QUICK, "--out=q.png"]) == 0
    text = files.read_text("q.png")
    assert text is not None
    files.save("edited.png", files.load("q.png").pixels, text=text.replace('"part":0', '"part":-1'))
    undreamt(monkeypatch)
    capsys.readouterr()
    assert main(["replay", "edited.png"]) == 3
    assert "damaged or edited" in capsys.readouterr().err
