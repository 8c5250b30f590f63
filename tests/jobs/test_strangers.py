"""Records of strangers: which files they may open, and that broken ones end in a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import reverie
from reverie import files
from reverie.cli import main
from reverie.errors import InputError
from reverie.files.png import SIGNATURE, text_chunk
from reverie.film import shooting
from reverie.recipe.record import Asset

QUICK = {"steps": 1, "octaves": 1, "threads": 1, "precision": "fp32"}


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A folder with a dream, the current folder, and a private one with pictures, none below another."""
    for name in ("dreams", "here", "private"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "private" / "photo.png")
    Image.fromarray(pixels[::-1]).save(tmp_path / "private" / "secret.png")
    return tmp_path


def dreamt(places: Path) -> Path:
    made = reverie.dream(places / "private" / "photo.png", **QUICK)
    return made.save(places / "dreams" / "dream.png", overwrite=True)


def edited(path: Path, change, out: str = "edited.png") -> Path:
    """A copy of the picture at ``path`` whose Record was changed by ``change``."""
    values = json.loads(files.read_text(path))
    change(values)
    whole = path.with_name(out)
    body = path.read_bytes()[len(SIGNATURE) :]
    header, rest = body[:25], body[25:]
    while rest[4:8] != b"IDAT":  # the old text
        rest = rest[12 + int.from_bytes(rest[:4], "big") :]
    whole.write_bytes(SIGNATURE + header + text_chunk(json.dumps(values)) + rest)
    return whole


def test_a_recorded_path_elsewhere_is_opened_with_trust_alone(places):
    made = dreamt(places)
    with pytest.raises(InputError, match="neither beside it nor below") as there:
        reverie.replay(made)
    (places / "private" / "photo.png").rename(places / "here" / "renamed.png")
    with pytest.raises(InputError) as absent:
        reverie.replay(made)
    assert str(there.value) == str(absent.value)  # nobody learns whether the file is there
    assert reverie.replay(made, source=places / "here" / "renamed.png").record.asset("source")
    (places / "here" / "renamed.png").rename(places / "private" / "photo.png")
    assert reverie.replay(made, trust=True).record.asset("source")


@pytest.mark.parametrize("where", ["dreams", "here"])
def test_a_file_beside_the_dream_or_below_the_current_folder_is_found(places, where):
    made = dreamt(places)
    (places / "private" / "photo.png").rename(places / where / "photo.png")
    if where == "here":
        made = edited(made, lambda values: values["assets"][0].update(path="photo.png"))
    assert reverie.replay(made).record.asset("source")


@pytest.mark.parametrize("role", ["mask", "guide", "objective"])
def test_a_record_opens_no_file_that_it_does_not_list(places, role):
    secret = str(places / "private" / "secret.png")
    texts = {"mask": secret, "guide": [f'"{secret}"@stage2'], "objective": f'stage2|"{secret}"'}

    def change(values):
        values["recipe"][role] = texts[role]
        values["assets"] = [each for each in values["assets"] if each["role"] == "weights"]

    made = edited(dreamt(places), change)
    read = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "load", lambda source, *_: read.append(source))
        with pytest.raises(
            InputError, match=r"but not its SHA-256; choose a picture with changes .* or add trust=True"
        ):
            reverie.replay(made)
    assert read == []
    assert reverie.replay(made, trust=True).plan
    if role == "mask":
        assert reverie.replay(made, changes={"mask": secret}).plan


def test_paths_that_are_nearly_listed_are_not_opened(places):
    secret = places / "private" / "secret.png"

    def change(values):
        values["recipe"]["mask"] = f"{secret.parent}/./{secret.name}"
        values["assets"] = [Asset(role="mask", path=str(secret), sha256="0" * 64).model_dump()]

    with pytest.raises(InputError, match="but not its SHA-256"):
        reverie.replay(edited(dreamt(places), change))


def test_films_of_strangers_read_no_files(places, capsys):
    keys = places / "private" / "keys.toml"
    keys.write_text('["0s"]\nsecret_word = 1\n')

    def film(kind, **settings):
        def change(values):
            values |= {"film": kind, "settings": settings, "assets": []}

        return edited(dreamt(places), change, f"{kind}.png")

    for at in ([str(keys)], str(keys), [f"0s {keys}"]):
        made = film("zoom", at=at)
        assert main(["replay", str(made)]) == 3
        assert "secret_word" not in capsys.readouterr().err
    assert main(["replay", str(film("video"))]) == 3
    assert "names no clip" in capsys.readouterr().err
    assert main(["replay", str(film("zoom", through=5))]) == 3
    assert main(["replay", str(film("zoom", at=None))]) == 3
    assert main(["replay", str(film("zoom", at=5))]) == 3
    assert main(["replay", str(film("zoom", at=[5]))]) == 3
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.count("cannot be read; it was damaged or edited") == 4
    good = film("zoom", duration="1s")
    for value in ("through=5", "at=5", "at=null"):
        assert main(["replay", str(good), "--set", value]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.count("must be") == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is readable for root")
def test_a_recorded_source_that_may_not_be_read(places):
    made = dreamt(places)
    (places / "private" / "photo.png").rename(places / "dreams" / "photo.png")
    (places / "dreams" / "photo.png").chmod(0)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)"):
        reverie.replay(made)


def test_a_recorded_source_that_breaks_while_it_is_read(places, monkeypatch):
    made = dreamt(places)
    (places / "private" / "photo.png").rename(places / "dreams" / "photo.png")

    def worn(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("reverie.jobs.sources.hashlib.file_digest", worn)
    with pytest.raises(InputError, match=r"cannot be read \(Input/output error\)"):
        reverie.replay(made)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_pipes_and_devices_are_not_opened(places):
    made = dreamt(places)
    os.mkfifo(places / "dreams" / "photo.png")
    (places / "private" / "photo.png").unlink()
    with pytest.raises(InputError, match="say where it lies"):
        reverie.replay(made, trust=True)

    def endless(values):
        values["assets"][0]["path"] = "/dev/zero"

    with pytest.raises(InputError, match="is not there"):
        reverie.replay(edited(made, endless), trust=True)
    with pytest.raises(InputError, match="more than 1,000,000"):
        reverie.dream(None, recipe="/dev/zero", **QUICK)


def test_a_recorded_file_of_endless_length_is_not_hashed(places, monkeypatch):
    made = dreamt(places)
    (places / "private" / "photo.png").rename(places / "dreams" / "photo.png")
    monkeypatch.setattr("reverie.jobs.sources.LARGEST_ASSET", 10)
    with pytest.raises(InputError, match=r"has more than 10 bytes; name it with source"):
        reverie.replay(made)
    assert reverie.replay(made, source=places / "dreams" / "photo.png").plan


def test_names_of_strangers_do_not_reach_the_terminal(places, capsys):
    def change(values):
        values["assets"][0]["path"] = "\x1b[2J\x00" + "x" * 5000

    assert main(["replay", str(edited(dreamt(places), change))]) == 3
    said = capsys.readouterr().err
    assert "\x1b" not in said and "\0" not in said and r"\x1b[2J\x00" in said and len(said) < 700
    assert shooting.is_film(places / "dreams" / "edited.png") is False
