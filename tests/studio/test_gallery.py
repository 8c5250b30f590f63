"""Files as the truth, the index beside them, search, settings, notes, bin."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from reverie import files
from reverie.studio.app import create_app, locked
from reverie.studio.files import Places, file_slug, identity
from reverie.studio.store import Store
from tests.studio.conftest import ADDRESS, MARK, drop, folder, photo, start, wait


def dreamt(client: TestClient, **settings: object) -> dict:
    (job,) = start(client, {"source": drop(client)["id"], "settings": {"size": "64", "steps": 3, **settings}})
    (job,) = wait(client, [job["id"]])
    return client.get(f"/api/pictures/{job['results'][0]['picture']}").json()


def test_a_dropped_dream_shows_its_settings_and_makes_the_same_picture_again(client):
    made = dreamt(client, objective="rose", seed=5)
    before = (folder(client) / made["name"]).read_bytes()
    again = drop(client, before, "found.png")
    wish = again["dream"]["wish"]
    assert not again["dream"]["notes"]
    assert {row["name"]: row["value"] for row in again["dream"]["rows"]}["objective"] == "rose"
    wish = {name: wish[name] for name in ("source", "settings", "mask", "guides")}
    (job,) = wait(client, [start(client, wish)[0]["id"]])
    assert (folder(client) / job["results"][0]["name"]).read_bytes() == before


def test_settings_are_seen_without_loading_and_say_what_differs_from_the_defaults(client):
    made = dreamt(client, objective="owl", momentum=0.1)
    rows = {row["name"]: row for row in made["dream"]["rows"]}
    assert rows["momentum"]["value"] == 0.1 and rows["momentum"]["default"] == 0.3
    assert "jitter" not in rows
    assert "--objective owl" in made["command"] and "reverie.dream(" in made["python"]


def test_pictures_are_found_by_words_preset_network_date_size_and_notes(client):
    one, other = dreamt(client, objective="fern"), dreamt(client, objective="owl", seed=8)
    client.patch(
        f"/api/pictures/{one['id']}",
        json={"rating": 4, "tags": ["Blue Moon", "x,y"], "collections": ["walls"]},
    )

    def ids(**asked: object) -> set[str]:
        return {
            each["id"]
            for each in client.get("/api/pictures", params={"limit": 200, **asked}).json()["pictures"]
        }

    assert one["id"] in ids(words="fern") and other["id"] not in ids(words="fern")
    assert (
        ids(words="blue moon")
        == ids(tags="blue moon")
        == ids(rating=4)
        == ids(collections="walls")
        == {one["id"]}
    )
    assert one["id"] in ids(network="motif", since=time.time() - 600, until=time.time() + 60, side=60)
    assert not ids(side=5000) and not ids(network="vgg16")
    assert "blue moon" in client.get("/api/facets").json()["tags"]
    assert client.patch(f"/api/pictures/{one['id']}", json={"rating": 9}).status_code == 422


def test_the_index_is_rebuilt_from_the_files_when_the_database_is_missing_or_damaged(tmp_path):
    with TestClient(create_app(tmp_path), base_url=ADDRESS, headers=MARK) as client:
        made = dreamt(client, objective="owl")
        client.patch(f"/api/pictures/{made['id']}", json={"rating": 5, "tags": ["kept"]})
        source = made["dream"]["wish"]["source"]
    for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(b"no database" * 99)):
        for each in (tmp_path / ".studio").glob("studio.sqlite*"):
            damage(each) if each.suffix == ".sqlite" else each.unlink()
        with TestClient(create_app(tmp_path), base_url=ADDRESS, headers=MARK) as client:
            until = time.monotonic() + 120
            while True:
                client.app.state.studio.gallery._looked = 0
                found = client.get("/api/pictures").json()["pictures"]
                if found and client.app.state.studio.store.file(source):
                    break
                assert time.monotonic() < until
                time.sleep(0.05)
            assert [(each["id"], each["rating"], each["tags"]) for each in found] == [(made["id"], 5, "kept")]
            assert client.get(f"/api/pictures/{made['id']}").json()["dream"]["wish"]["source"] == source


def _looked_for(client, words, count):
    """The pictures that a search finds, once there are ``count`` of them: the folder is looked at in passing."""
    until = time.monotonic() + 60
    while True:
        client.app.state.studio.gallery._looked = 0
        found = client.get(f"/api/pictures?words={words}").json()["pictures"]
        if len(found) == count or time.monotonic() > until:
            return found
        time.sleep(0.05)


def test_files_that_others_put_into_the_folder_appear_and_those_they_take_away_go(client):
    path = folder(client) / "from elsewhere.jpg"
    path.write_bytes(photo(form="JPEG"))
    found = _looked_for(client, "elsewhere", 1)
    assert [each["name"] for each in found] == [path.name] and not found[0]["dream"]
    assert client.get(f"/api/files/{found[0]['id']}/view/480").headers["content-type"] == "image/webp"
    path.unlink()
    assert not _looked_for(client, "elsewhere", 0)


def test_deleted_pictures_lie_in_the_bin_until_it_is_emptied(client):
    made = dreamt(client, objective="owl", seed=11)
    path = folder(client) / made["name"]
    content = path.read_bytes()
    assert client.post("/api/bin", json={"delete": [made["id"]]}).json()["done"] == [made["id"]]
    assert not path.exists() and client.get(f"/api/pictures/{made['id']}").json()["binned"]
    assert made["id"] in client.get("/api/pictures?bin=1").text
    assert client.get(f"/api/files/{made['id']}/view/480").status_code == 200
    assert client.post("/api/bin", json={"restore": [made["id"]]}).json()["done"] == [made["id"]]
    assert path.read_bytes() == content
    client.post("/api/bin", json={"delete": [made["id"]]})
    assert client.post("/api/bin", json={"empty": True}).json()["emptied"] == 1
    assert client.get(f"/api/pictures/{made['id']}").status_code == 404


def test_downloads_with_and_without_settings(client):
    made = dreamt(client, objective="owl", seed=12)
    whole = client.get(f"/api/files/{made['id']}/download")
    plain = client.get(f"/api/files/{made['id']}/download?metadata=0")
    assert whole.content == (folder(client) / made["name"]).read_bytes()
    assert files.read_text(whole.content) and files.read_text(plain.content) is None
    assert (files.load(whole.content).pixels == files.load(plain.content).pixels).all()


def test_a_source_is_kept_upright_without_metadata_and_only_once(client):
    picture = Image.open(io.BytesIO(photo(40, 30)))
    exif = picture.getexif()
    exif[0x0112] = 6
    exif[0x010F] = "a camera with a name"
    picture.save(out := io.BytesIO(), "JPEG", exif=exif)
    one, other = drop(client, out.getvalue(), "turned.jpg"), drop(client, out.getvalue(), "turned.jpg")
    assert one["id"] == other["id"] and (one["width"], one["height"]) == (30, 40)
    assert b"a camera" not in (folder(client) / client.app.state.studio.store.file(one["id"])).read_bytes()


def test_a_picture_is_turned_and_cropped(client):
    asset = drop(client, photo(40, 20))
    pixels = np.asarray(Image.open(io.BytesIO(photo(40, 20))))
    made = client.post(f"/api/files/{asset['id']}/edit", json={"turns": 1, "crop": [0, 0.25, 1, 0.5]}).json()
    stored = folder(client) / client.app.state.studio.store.file(made["id"])
    assert (np.asarray(Image.open(stored)) == np.rot90(pixels, -1)[10:30]).all()
    for wrong in (
        {"turns": 9},
        {"turns": True},
        {"crop": [0, 0, 0, 1]},
        {"crop": [0, 0, 2, 1]},
        {"crop": "all"},
    ):
        assert client.post(f"/api/files/{asset['id']}/edit", json=wrong).status_code == 422


def test_a_black_mask_is_refused_and_a_painted_one_kept(client):
    Image.new("L", (20, 20)).save(black := io.BytesIO(), "PNG")
    assert "black" in client.post("/api/assets?kind=mask", content=black.getvalue()).json()["error"]
    mask = drop(client, photo(), kind="mask")
    assert "/mask-" in client.app.state.studio.store.file(mask["id"])


def test_the_form_has_every_field_of_the_recipe_with_help_range_and_default(client):
    from reverie.recipe import Recipe
    from reverie.studio.schema import OTHER_FIELDS

    schema = client.get("/api/hello").json()["schema"]
    fields = {each["name"]: each for each in schema["recipe"]}
    assert fields.keys() == Recipe.model_fields.keys() - set(OTHER_FIELDS)
    assert all(each["help"] and each["label"] and each["group"] for each in fields.values())
    assert fields["momentum"] | {"kind": "number", "minimum": 0, "default": 0.3} == fields["momentum"]
    assert fields["color"]["choices"] == ["dream", "source", "locked"]
    assert fields["steps"]["kind"] == "text" and fields["jitter"]["unit"] == "px"
    assert set(schema["dials"]) <= fields.keys() and len(schema["dials"]) == 4


def test_an_error_in_an_objective_stands_under_its_word(client):
    def place(text: str) -> str:
        found = client.post("/api/objective", json={"text": text}).json()
        assert not found["ok"] and found["message"].endswith((".", "?"))
        return text[found["start"] : found["end"]]

    assert place("0.5*owl + owll") == "owll"
    assert place("owl + stage99:3") == "stage99"
    assert place("owl; rose + nonsense") == "nonsense"
    assert client.post("/api/objective", json={"text": "0.5*owl + stage3"}).json()["ok"]
    names = client.get("/api/networks/motif/names").json()
    assert (
        "owl" in names["classes"]
        and {"name": "stage3", "path": "stage3"}.items()
        <= next(each for each in names["layers"] if each["name"] == "stage3").items()
    )


def test_25_000_pictures_are_searched_and_paged_quickly_enough(tmp_path):
    """No clock: what makes it quick is that a page reads a page, and that is counted."""
    places = Places(tmp_path)
    places.make()
    store = Store(places)
    rows = [
        (identity(f"{at}.png"), f"{at}.png", "picture", at, "owl" if at % 2 else "rose", at)
        for at in range(25_000)
    ]
    store._base.execute("begin")
    store._base.executemany(
        "insert into pictures (id, name, kind, width, height, words, created) values (?, ?, ?, ?, 10, ?, ?)",
        rows,
    )
    store._base.execute("commit")
    found, total = store.pictures({"words": "rose"}, 60, 12_000)
    assert (len(found), total) == (60, 12_500) and found[0]["created"] < 1000
    plan = " ".join(
        str(tuple(row)) for row in store._base.execute(
            "explain query plan select * from pictures where binned is null order by created desc limit 60 offset 600"
        )
    )  # fmt: skip
    assert "pictures_created" in plan and "TEMP B-TREE" not in plan
    store.close()


def test_names_of_files_become_slugs_and_ids_tell_nothing():
    assert file_slug("../../Ünicode & Spaces.png") == "nicode-spaces-png"
    assert file_slug("...") == "picture"
    assert identity("a.png") != identity("b.png") and identity("a.png") != "a" * 20


def test_one_folder_has_one_studio(tmp_path):
    from reverie.errors import OutputError, UsageError

    with locked(tmp_path / "one"), pytest.raises(UsageError, match="Another studio"):
        locked(tmp_path / "one")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be used"):
        locked(tmp_path / "file")


def test_the_page_is_small_its_modules_short_and_nothing_comes_from_elsewhere():
    static = Path(__file__).parents[2] / "src" / "reverie" / "studio" / "static"
    every = [each for each in static.rglob("*") if each.is_file()]
    assert sum(each.stat().st_size for each in every) < 300_000
    for each in every:
        text = each.read_text("utf-8")
        if each.suffix == ".js":
            assert len(text.splitlines()) <= 300, each.name
            assert "innerHTML" not in text and "eval(" not in text
        for word in ("https://", "http://", "@import", "@font-face"):
            assert word not in text.replace("http://www.w3.org/2000/svg", ""), f"{word} in {each.name}"


def test_a_record_that_cannot_be_read_is_one_sentence(client):
    settings = client.app.state.studio.gallery.settings(json.dumps({"recipe": {"steps": -4}}))
    assert settings["wish"] is None and len(settings["notes"]) == 1
