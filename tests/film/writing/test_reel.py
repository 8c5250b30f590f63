"""The reel: whatever is torn, missing or full, what is whole stays whole and the film goes on from there."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.errors import OutputError
from reverie.film.frame import Take
from reverie.film.writing.reel import Reel, has_film, short_of_space


def take(index):
    generator = torch.Generator().manual_seed(index)
    image = torch.rand((1, 3, 9, 7), generator=generator)
    return Take(image, Fraction(index, 24), {"dream": torch.randn((1, 3, 9, 7), generator=generator)})


def filled(folder, count, fingerprint="one"):
    with Reel(folder, fingerprint, "record") as reel:
        for index in range(len(reel), count):
            reel.add(take(index))
    return folder


def test_what_is_kept_comes_back_to_the_bit(tmp_path):
    with Reel(filled(tmp_path / "reel", 5), "one") as reel:
        last = reel.done()
        assert len(reel) == 5 and last.time == Fraction(4, 24) and reel.about == "record"
        assert torch.equal(last.state["dream"], take(4).state["dream"])
        assert torch.equal(last.image, (take(4).image * 255).round() / 255)
        for index, (time, picture) in enumerate(reel.frames()):
            assert time == Fraction(index, 24)
            assert np.array_equal(picture, (take(index).image[0] * 255).round().byte().permute(1, 2, 0).numpy())
    assert len(list((tmp_path / "reel").glob("*.safetensors"))) == 2  # memory on disk does not grow with states


def test_a_state_may_hold_one_tensor_twice(tmp_path):
    shared = torch.rand(1, 3, 9, 7)
    with Reel(tmp_path / "reel", "one") as reel:
        reel.add(Take(shared, Fraction(0), {"image": shared, "first": shared, "part": shared[:, :2]}))
        state = reel.done().state
    assert torch.equal(state["image"], shared) and torch.equal(state["first"], shared)
    assert torch.equal(state["part"], shared[:, :2])


def test_a_new_reel_has_nothing_done(tmp_path):
    with Reel(tmp_path / "reel", "one") as reel:
        assert reel.done() is None and len(reel) == 0 and list(reel.frames()) == []


@settings(max_examples=8)
@given(cut=st.integers(0, 400))
def test_a_torn_journal_costs_at_most_what_was_torn(tmp_path_factory, cut):
    folder = filled(tmp_path_factory.mktemp("torn") / "reel", 3)
    journal = folder / "journal.jsonl"
    data = journal.read_bytes()
    journal.write_bytes(data[: max(len(data) - cut, len(data) - len(data.splitlines()[-1]) - 1)])
    (folder / "000007.png.part").write_bytes(b"half")
    with Reel(folder, "one") as reel:
        assert len(reel) in (2, 3)
        assert torch.equal(reel.done().state["dream"], take(len(reel) - 1).state["dream"])
    assert not list(folder.glob("*.part"))
    filled(folder, 3)
    assert journal.read_bytes() == data


@pytest.mark.parametrize("name", ["000002.png", "000002.safetensors"])
@pytest.mark.parametrize("harm", ["lost", "cut"])
def test_a_last_frame_that_never_reached_the_disk_is_made_again(tmp_path, name, harm):
    folder = filled(tmp_path / "reel", 3)
    path = folder / name
    path.unlink() if harm == "lost" else path.write_bytes(path.read_bytes()[:20])
    with Reel(folder, "one") as reel:
        assert len(reel) == 2 and torch.equal(reel.done().state["dream"], take(1).state["dream"])
        reel.add(take(2))
        assert len(reel) == 3


def test_a_lost_frame_in_the_middle_is_named(tmp_path):
    folder = filled(tmp_path / "reel", 5)
    (folder / "000001.png").unlink()
    with pytest.raises(OutputError, match=r"000001\.png is missing"):
        Reel(folder, "one")


def test_another_film_is_refused_and_anew_begins_again_but_touches_no_stranger(tmp_path):
    folder = filled(tmp_path / "reel", 3)
    (folder / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="another film"):
        Reel(folder, "two")
    assert has_film(folder, "one") and not has_film(folder, "two") and not has_film(tmp_path, "one")
    with Reel(folder, "two", anew=True) as reel:
        assert len(reel) == 0
        reel.remove()
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    (folder / "mine.txt").unlink()
    with Reel(folder, "two") as reel:
        reel.remove()
    assert not folder.exists()


def test_two_processes_do_not_share_a_reel(tmp_path):
    with Reel(tmp_path / "reel", "one"), pytest.raises(OutputError, match="another process"):
        Reel(tmp_path / "reel", "one")
    with Reel(tmp_path / "reel", "one"):
        pass


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_what_is_whole_and_says_how_to_go_on(tmp_path, monkeypatch, call):
    import errno
    import os

    folder = filled(tmp_path / "reel", 2)
    with Reel(folder, "one") as reel:

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, call, full)
            with pytest.raises(OutputError, match=r"holds 2 whole frames and the disk is full.*goes on"):
                reel.add(take(2))
    filled(folder, 4)
    with Reel(folder, "one") as reel:
        assert len(reel) == 4


def test_a_damaged_reel_says_so(tmp_path):
    folder = filled(tmp_path / "reel", 2)
    (folder / "reel.json").write_text("{")
    with pytest.raises(OutputError, match="damaged"):
        Reel(folder, "one")
    with Reel(filled(tmp_path / "other", 2), "one") as reel:
        (tmp_path / "other" / "000000.png").write_bytes(b"no picture")
        with pytest.raises(OutputError, match=r"000000\.png is missing or damaged"):
            list(reel.frames())


def test_a_film_larger_than_the_disk_is_foretold(tmp_path):
    with Reel(filled(tmp_path / "reel", 2), "one") as reel:
        free = shutil.disk_usage(tmp_path).free
        assert short_of_space(reel, 10) is None and short_of_space(reel, None) is None
        assert "GB are free" in short_of_space(reel, free)


def test_the_journal_is_plain(tmp_path):
    lines = [json.loads(line) for line in (filled(tmp_path / "reel", 3) / "journal.jsonl").read_text().splitlines()]
    assert [line["time"] for line in lines] == ["0", "1/24", "1/12"]
