"""The table of attacks: each is a test of its own, and all are refused."""

from __future__ import annotations

import io
import json
import struct
import time
import zipfile
import zlib
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image, PngImagePlugin

from reverie.studio import safety
from reverie.studio.app import create_app
from reverie.studio.routes import pictures
from tests.studio.conftest import ADDRESS, MARK, drop, folder, photo, start, wait

TRAVERSALS = [
    "../secret.png",
    "..%2fsecret.png",
    "%2e%2e%2fsecret.png",
    "..%252fsecret.png",
    "..\\secret.png",
    "..%5csecret.png",
    "....//secret.png",
    "%c0%ae%c0%ae/secret.png",
    "/etc/passwd",
    "file:///etc/passwd",
    "C:\\Windows\\win.ini",
    "..%00.png",
]


@pytest.fixture(scope="module", autouse=True)
def secret(client):
    """A file beside the studio's folder that nobody may have."""
    (folder(client).parent / "secret.png").write_bytes(photo(seed=77))


@pytest.mark.parametrize("path", TRAVERSALS)
@pytest.mark.parametrize(
    "route",
    [
        "/static/{}",
        "/api/files/{}/view/480",
        "/api/files/{}/download",
        "/api/files/{}/film",
        "/api/previews/{}",
        "/api/pictures/{}",
        "/api/jobs/{}",
        "/api/jobs/{}/live/1",
    ],
)
def test_traversal_in_an_address(client, path, route):
    answer = client.get(route.format(path))
    assert answer.status_code in (403, 404, 405, 422)
    assert "root:" not in answer.text and "PNG" not in answer.text


@pytest.mark.parametrize("path", TRAVERSALS)
def test_traversal_in_a_wish(client, path):
    for wish in ({"source": path}, {"mask": path}, {"guides": [{"picture": path}]}, {"settings": {"mask": path}},
                 {"settings": {"guide": [path]}}, {"preset": f"own:{path}"}, {"preset": path}):  # fmt: skip
        answer = client.post("/api/jobs", json={"wishes": [wish]})
        assert answer.status_code in (404, 422), wish


@pytest.mark.parametrize(
    "text", ["owl|/etc/passwd.png", "direction(stage2, ../secret.png)", "owl|..\\secret.png"]
)
def test_an_objective_that_names_a_file(client, text):
    answer = client.post("/api/jobs", json={"wishes": [{"settings": {"objective": text}}]})
    assert answer.status_code == 422
    assert client.post("/api/objective", json={"text": text}).json()["ok"] is False


@pytest.mark.parametrize(
    "name", [*TRAVERSALS, "con", "a" * 500, "\u202egnp.exe", "x\r\nset-cookie: a=b", ".bashrc", "-rf"]
)
def test_a_hostile_file_name(client, name):
    from urllib.parse import quote

    before = set(folder(client).parent.iterdir())
    asset = drop(client, photo(seed=3), quote(quote(name)))
    stored = client.app.state.studio.store.file(asset["id"])
    assert stored.startswith("sources/") and stored.count("/") == 1 and ".." not in stored
    assert set(folder(client).parent.iterdir()) == before


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8723", "localhost.evil.example", "127.0.0.1.nip.io", "", "localhost@evil"],
)
def test_rebinding(client, host):
    for method, path in (("GET", "/"), ("GET", "/api/hello"), ("POST", "/api/queue")):
        assert client.request(method, path, headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://localhost:9999",
        "https://localhost",
        "http://localhost.evil.example:8723",
        "file://",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
def test_a_foreign_or_null_origin(client, origin, method):
    answer = client.request(
        method, "/api/hello" if method == "GET" else "/api/queue", headers={"origin": origin}
    )
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_change_that_another_site_asks_for(client, site):
    assert (
        client.post("/api/queue", json={"paused": True}, headers={"sec-fetch-site": site}).status_code == 403
    )
    assert client.app.state.studio.queue.paused is False


def test_a_form_of_another_page_without_any_of_these_headers(client):
    plain = TestClient(client.app, base_url=ADDRESS)
    answer = plain.post("/api/queue", content=b'{"paused": true}', headers={"content-type": "text/plain"})
    assert answer.status_code == 403


def test_pictures_read_by_another_site(client):
    asset = drop(client)["id"]
    for path in (f"/api/files/{asset}/view/480", "/api/hello", "/api/events", "/static/js/app.js"):
        headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
        assert client.get(path, headers=headers).status_code == 403
    top = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert client.get("/", headers=top).status_code == 200  # a link to the page itself is allowed
    assert client.get("/", headers={**top, "sec-fetch-dest": "iframe"}).status_code == 403


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_methods_that_nobody_needs(client, method):
    assert client.request(method, "/api/hello").status_code == 403


def test_an_upload_that_is_too_large(client, monkeypatch):
    monkeypatch.setattr(pictures, "LARGEST_PICTURE", 100_000)
    for body in (bytes(200_000), iter([bytes(60_000), bytes(60_000)])):
        answer = client.post("/api/assets", content=body)
        assert answer.status_code == 422 and "larger than" in answer.json()["error"]
    assert not list((folder(client) / ".studio" / "incoming").iterdir())


def test_a_request_of_no_end(client):
    answer = client.post("/api/jobs", content=iter([b'{"wishes": [', b" " * (5 << 20)]))
    assert answer.status_code == 422
    assert client.post("/api/jobs", content=b"[" * 100_000).status_code == 422


def svg() -> bytes:
    return b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def png_bomb(side: int) -> bytes:
    """A PNG of side x side zeros: some kB that would be gigabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(side * 3 + 1)
    data = b"".join(packer.compress(row) for _ in range(min(side, 4000))) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zip_bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(50_000_000))
    return made.getvalue()


@pytest.mark.parametrize(
    "data",
    [svg(), b"<!doctype html><script>alert(1)</script>", b"%PDF-1.7 ...", b"%!PS-Adobe-3.0 EPSF-3.0", zip_bomb(),
     png_bomb(30_000), b"GIF89a" + bytes(100),
     b"\x89PNG\r\n\x1a\n" + bytes(64), b"#!/bin/sh\nrm -rf /\n", b"BM" + b"\xff" * 64],
    ids=["svg", "html", "pdf", "eps", "zip bomb", "png bomb", "broken gif", "broken png", "script", "broken bmp"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["source", "mask"])
def test_files_that_are_no_pictures_or_too_much_of_one(client, data, kind):
    begun = time.monotonic()
    answer = client.post(f"/api/assets?kind={kind}&name=picture.png", content=data)
    assert answer.status_code == 404 and answer.json()["error"].endswith(".")
    assert "/" not in answer.json()["error"].replace("/ ", ""), "a path of this machine is told"
    assert time.monotonic() - begun < 90
    assert drop(client)["width"] == 64  # the reader is as well as before


@pytest.mark.parametrize("name", ["film.mp4", "film.svg", "film.html", "playlist.m3u8"])
def test_files_that_are_no_videos(client, name):
    playlist = b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"
    for data in (playlist, svg(), b"\0\0\0\x18ftypmp42" + bytes(64)):
        assert client.post(f"/api/assets?kind=clip&name={name}", content=data).status_code == 404
    assert not [each for each in (folder(client) / "sources").iterdir() if each.suffix not in (".png",)]


def test_a_picture_that_is_a_page_as_well_never_reaches_a_page(client):
    html = b"<html><script>fetch('/api/queue')</script></html>"
    polyglot = photo(form="GIF") + html
    asset = drop(client, polyglot, "page.html")
    stored = folder(client) / client.app.state.studio.store.file(asset["id"])
    assert stored.suffix == ".png" and html not in stored.read_bytes()
    for path in (f"/api/files/{asset['id']}/view/1600", f"/api/files/{asset['id']}/download"):
        answer = client.get(path)
        assert html not in answer.content
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "html" not in answer.headers["content-type"]


def test_a_picture_with_an_archive_behind_it_leaves_the_archive(client):
    asset = drop(client, photo() + zip_bomb()[:2000])
    stored = folder(client) / client.app.state.studio.store.file(asset["id"])
    assert b"PK\x03\x04" not in stored.read_bytes()


def test_files_in_the_folder_are_never_shown_as_they_are(client):
    evil = folder(client) / "evil.png"
    evil.write_bytes(svg())
    (folder(client) / "evil.svg").write_bytes(svg())
    client.app.state.studio.gallery._looked = 0
    names = {each["name"]: each["id"] for each in client.get("/api/pictures?limit=200").json()["pictures"]}
    assert "evil.svg" not in names
    assert client.get(f"/api/files/{names['evil.png']}/view/480").status_code == 404
    download = client.get(f"/api/files/{names['evil.png']}/download")
    assert download.headers["content-disposition"].startswith("attachment")
    assert download.headers["content-type"] == "application/octet-stream"
    evil.unlink()


def test_a_link_in_the_folder_is_not_followed(client):
    link = folder(client) / "link.png"
    link.symlink_to(folder(client).parent / "secret.png")
    client.app.state.studio.gallery._looked = 0
    assert "link.png" not in client.get("/api/pictures?limit=200").text
    link.unlink()


def test_header_injection_by_the_name_of_a_download(client):
    path = folder(client) / 'a"; evil=\r\nset-cookie: x=y; .png'
    path.write_bytes(photo(seed=5))
    client.app.state.studio.gallery._looked = 0
    found = next(
        each for each in client.get("/api/pictures?limit=200").json()["pictures"] if "evil" in each["name"]
    )
    answer = client.get(f"/api/files/{found['id']}/download")
    assert answer.status_code == 200 and "set-cookie" not in answer.headers
    assert answer.headers["content-disposition"].count('"') == 2
    path.unlink()


def with_record(record: Any) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("reverie", record if isinstance(record, str) else json.dumps(record))
    Image.open(io.BytesIO(photo())).save(out := io.BytesIO(), "PNG", pnginfo=info)
    return out.getvalue()


def record(**recipe: Any) -> dict[str, Any]:
    asset = {"role": "source", "path": "/etc/passwd", "sha256": "0" * 64}
    return {
        "reverie": 1,
        "recipe": recipe,
        "assets": [asset],
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "versions": {},
    }


HOSTILE: list[Any] = [
    record(network="evil.py"),
    record(network="python:evil"),
    record(network="keras:/tmp/evil.keras"),
    record(network="hf:evil/model"),
    record(mask="/etc/passwd"),
    record(guide=["/etc/shadow@stage2*2|/etc/passwd"]),
    record(objective="owl|/etc/passwd.png"),
    record(network="__proto__"),
    {"reverie": 1, "recipe": "not an object", "assets": None},
    {"reverie": 99, "recipe": {}},
    {"recipe": {"steps": [1] * 10_000}},
    {"recipe": {"objective": "(" * 100_000}},
    {"recipe": {"objective": "<img src=x onerror=alert(1)>"}},
    {"recipe": {"seed": 10**400}},
    '{"recipe": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}",
    '{"recipe": {"seed": NaN}}',
    "no JSON at all",
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_record_in_a_dropped_picture(client, hostile):
    asset = drop(client, with_record(hostile))
    dream = asset.get("dream")
    wish = dream and dream["wish"]
    if not wish:
        return
    for each in ("source", "mask"):
        assert wish[each] is None
    assert not wish["guides"]
    settings = wish["settings"]
    assert settings.get("network", "motif") == "motif" or client.post(
        "/api/jobs", json={"wishes": [{k: v for k, v in wish.items() if k != "kind"}]}
    ).status_code in (404, 422)
    if "objective" in settings:
        answer = client.post("/api/jobs", json={"wishes": [{**wish, "kind": "dream", "film": {}}]})
        assert answer.status_code in (404, 422)


@pytest.mark.parametrize(
    "network",
    ["evil.py", "python:os", "keras:/x.keras", "torchvision:resnet18", "hf:a/b", "motif@/tmp/x", "../motif"],
)
def test_a_network_that_is_a_strangers(client, network):
    assert client.post("/api/jobs", json={"wishes": [{"settings": {"network": network}}]}).status_code == 422
    assert client.post("/api/objective", json={"text": "owl", "network": network}).status_code == 422
    assert client.get(f"/api/networks/{network}/names").status_code in (403, 404, 422)
    assert client.post(f"/api/networks/{network}/fetch", json={}).status_code in (403, 404, 405, 422)


@pytest.mark.parametrize(
    "run",
    [
        {"weights": "/tmp/evil.pth"},
        {"trust": True},
        {"offline": False},
        {"device": "cuda"},
        {"max_pixels": 10**12},
    ],
)
def test_ways_of_running_that_the_page_may_not_choose(client, run):
    assert client.post("/api/jobs", json={"wishes": [{"run": run}]}).status_code == 422


def test_keyframes_that_name_a_file(client):
    wish = {"kind": "zoom", "film": {"at": ["/etc/evil.toml"]}}
    assert client.post("/api/jobs", json={"wishes": [wish]}).status_code == 422


def test_a_preset_whose_name_leads_elsewhere(client):
    for title in TRAVERSALS:
        client.put("/api/presets", json={"title": title, "settings": {"steps": 2}})
    assert all(each.parent == folder(client) / "presets" for each in (folder(client) / "presets").rglob("*"))
    assert client.delete("/api/presets/..%2f..%2fsecret").status_code in (404, 405)
    for each in (folder(client) / "presets").iterdir():
        each.unlink()


def test_more_jobs_than_anybody_needs(client):
    assert client.post("/api/jobs", json={"wishes": [{}] * 2001}).status_code == 422
    assert client.post("/api/jobs", json={"wishes": []}).status_code == 422


def test_words_of_a_search_are_words_and_no_sql(client):
    for words in ("'; drop table pictures; --", "%", "_", "!", '" or 1=1', "\0"):
        assert (
            client.get("/api/pictures", params={"words": words, "preset": words, "tags": words}).status_code
            == 200
        )
    assert client.get("/api/pictures").status_code == 200


def test_every_answer_has_the_headers_of_safety(client):
    for path in ("/", "/static/js/app.js", "/api/hello", "/api/nonsense"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert (
            "unsafe" not in headers["content-security-policy"]
            and "script-src 'self'" in headers["content-security-policy"]
        )
        assert headers["x-frame-options"] == "DENY" and headers["referrer-policy"] == "no-referrer"
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(path).status_code == 404


def test_the_page_holds_no_script_or_style_of_its_own(client):
    page = client.get("/").text
    assert (
        "<script>" not in page
        and "style=" not in page
        and "onclick" not in page
        and "http" not in page.replace("http-equiv", "")
    )


def test_other_machines_need_the_token(tmp_path):
    token = "secret-token"
    with TestClient(
        create_app(tmp_path, ["studio.example"], token), base_url="http://studio.example:8723", headers=MARK
    ) as client:
        assert client.get("/api/hello").status_code == 401
        assert client.get("/?token=wrong").status_code == 401
        assert client.post("/api/queue?token=secret-token", json={}).status_code == 401
        entered = client.get(f"/?token={token}", follow_redirects=False)
        cookie = entered.headers["set-cookie"].lower()
        assert entered.status_code == 303 and "httponly" in cookie and "samesite=strict" in cookie
        assert client.get("/api/hello").status_code == 200
        client.cookies.clear()
        assert client.get("/api/hello", headers={"authorization": f"Bearer {token}"}).status_code == 200
        assert client.get("/api/hello", headers={"host": "other.example"}).status_code == 403


@pytest.mark.parametrize(
    ("host", "name"), [("[::1]:8723", "[::1]"), ("LOCALHOST:1", "localhost"), ("a.b:80", "a.b"), ("", "")]
)
def test_the_name_in_a_host_header(host, name):
    assert safety.hostname(host) == name


def test_a_strangers_work_goes_on_untouched_meanwhile(client):
    (job,) = start(client, {"source": drop(client)["id"], "settings": {"size": "64", "steps": 3}})
    client.post(f"/api/jobs/{job['id']}/cancel", json={}, headers={"origin": "http://evil.example"})
    wait(client, [job["id"]])
