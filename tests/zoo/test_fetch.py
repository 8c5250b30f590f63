"""Weights over a network that truncates, stalls, lies and is away: the right file, or one sentence."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reverie.errors import InputError, MissingError, OutputError, UnknownName, UsageError
from reverie.zoo import fetch
from reverie.zoo.catalog import SIZES, Published, entries, label_places, published, synsets
from reverie.zoo.labels import imagenet, inception5h
from tests.support.loopback import Server, serving

CONTENT = bytes(range(256)) * 4000
SHA = hashlib.sha256(CONTENT).hexdigest()
NAME = "squeezenet1_1"
Publish = Callable[..., Published]


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving(CONTENT) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.ways.clear()
    running.asked.clear()
    return running


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, a network that may be used, and no patience."""
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REVERIE_OFFLINE")
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    monkeypatch.setattr(fetch, "TIMEOUT", 0.3)
    return tmp_path / "cache" / "weights"


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Write another line into the table for the length of a test."""

    def change(*addresses: str, sha256: str = SHA, **changes: str) -> Published:
        entry = replace(published(NAME), addresses=addresses, sha256=sha256, **changes)
        monkeypatch.setitem(entries(), NAME, entry)
        return entry

    return change


def copy(source: Path, target: Path) -> None:
    """A converter that knows good from bad and changes every byte."""
    content = source.read_bytes()
    if len(content) != len(CONTENT):
        raise InputError(f"{source} is no weights file.")
    target.write_bytes(content[::-1])


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir() if each.suffix != ".lock"}


def right(cache: Path, trust: str = "published") -> None:
    """The cache holds the whole file, and a receipt that says so, and nothing else."""
    assert names(cache) == {f"{NAME}.safetensors", f"{NAME}.json"}
    assert (cache / f"{NAME}.safetensors").read_bytes() == CONTENT[::-1]
    known = fetch.receipt(NAME)
    assert known is not None
    assert (known.source, known.size, known.trust) == (SHA, len(CONTENT), trust)
    assert fetch.intact(NAME)


def refused(cache: Path) -> str:
    with pytest.raises(MissingError) as caught:
        fetch.ensure(NAME, copy)
    assert names(cache) == set()
    said = str(caught.value)
    assert said.count("\n") == 0
    assert said.endswith("set REVERIE_MIRROR to an address that has it, or dream with network='motif'.")
    return said


@pytest.mark.parametrize("ways", [
    ("whole",), ("truncated", "whole"), ("reset", "503", "whole"), ("stalled", "whole"), ("429", "whole"),
    (b"x" * 1000, "whole"), ("endless", "whole"),
])  # fmt: skip
def test_what_goes_wrong_once_is_tried_again(
    cache: Path, server: Server, publish: Publish, ways: tuple[str | bytes, ...]
) -> None:
    publish(server.url("a.pth", *ways))
    assert fetch.ensure(NAME, copy) == cache / f"{NAME}.safetensors"
    assert len(server.asked) == len(ways)
    right(cache)
    fetch.ensure(NAME, copy)
    assert len(server.asked) == len(ways)  # once is enough


@pytest.mark.parametrize(("way", "words", "times"), [
    ("truncated", "could not be reached, or broke off", 3),
    ("stalled", "fell silent for 0.3 seconds", 3),
    ("reset", "could not be reached, or broke off", 3),
    ("404", "answered 404 Not Found", 1),
    ("500", "answered 500 Internal Server Error", 3),
    (b"<html>moved</html>", "served other bytes than what is published (SHA-256", 2),
    (CONTENT[:-1] + b"!", f"not {SHA[:8]}...", 2),
    ("endless", "served other bytes", 2),
])  # fmt: skip
def test_what_stays_wrong_is_said_in_one_sentence(
    cache: Path, server: Server, publish: Publish, way: str | bytes, words: str, times: int
) -> None:
    publish(server.url("a.pth", way))
    said = refused(cache)
    assert words in said
    assert "127.0.0.1" in said
    assert len(server.asked) == times


def test_addresses_are_tried_in_order_after_the_mirror(
    cache: Path, server: Server, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVERIE_MIRROR", f"{server.address}/mirror/")
    publish("http://127.0.0.1:1/closed", server.url("b", "404"), server.url("c", "whole"), file="a.pth")
    fetch.ensure(NAME, copy)
    assert server.asked == ["/mirror/a.pth", "/b", "/c"]
    right(cache)
    server.url("mirror/a.pth", "whole")
    fetch.ensure(NAME, copy, again=True)
    assert server.asked[3:] == ["/mirror/a.pth"]


def test_an_address_that_is_none_is_refused(cache: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVERIE_MIRROR", "nowhere")
    publish()
    assert "nowhere/squeezenet1_1-b8a52dc0.pth is no address that can be asked" in refused(cache)


def test_a_server_that_never_ends_does_not_fill_the_disk(
    cache: Path, server: Server, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "LARGEST_DOWNLOAD", 1000)
    publish(server.url("a.pth", "whole"))
    assert "sends far more than any weights have" in refused(cache)


@pytest.mark.parametrize("published_hash", [
    {"sha256": SHA}, {"sha256": SHA[:8]}, {"sha256": "", "sha1": hashlib.sha1(CONTENT).hexdigest()},
])  # fmt: skip
def test_every_kind_of_published_hash_is_held(
    cache: Path, server: Server, publish: Publish, published_hash: dict[str, str]
) -> None:
    publish(server.url("a.pth", "whole"), **published_hash)
    fetch.ensure(NAME, copy)
    right(cache)
    (cache / f"{NAME}.json").unlink()
    (cache / f"{NAME}.safetensors").unlink()
    publish(server.url("a.pth", CONTENT[::-1]), **published_hash)
    assert "served other bytes" in refused(cache)


def test_without_a_published_hash_the_first_fetch_decides(cache: Path, server: Server, publish: Publish) -> None:
    publish(server.url("a.pth", "whole", CONTENT[::-1]), sha256="")
    fetch.ensure(NAME, copy)
    right(cache, "first use")
    path = cache / f"{NAME}.safetensors"
    path.write_bytes(b"!" + path.read_bytes()[1:])
    assert not fetch.intact(NAME)
    with pytest.raises(MissingError, match="other bytes than at the first fetch"):
        fetch.ensure(NAME, copy, check=True)
    assert not fetch.intact(NAME)
    publish(server.url("a.pth", "whole"), sha256="")
    fetch.ensure(NAME, copy, check=True)
    right(cache, "first use")


def test_bytes_without_a_published_hash_that_hold_no_weights_are_not_kept(
    cache: Path, server: Server, publish: Publish
) -> None:
    moved = b"<html>moved</html>"
    publish(server.url("a.pth", moved), sha256="")
    assert "served a file that holds no weights for squeezenet1_1" in refused(cache)
    publish(server.url("a.pth", moved), server.url("b.pth", "whole"), sha256="")
    fetch.ensure(NAME, copy)
    right(cache, "first use")
    publish(server.url("a.pth", moved), sha256="")
    with pytest.raises(MissingError, match=f"delete .*{NAME}.json to take them all the same"):
        fetch.ensure(NAME, copy, again=True)
    right(cache, "first use")  # what was there stays


@pytest.mark.parametrize("damage", ["cut", "gone", "receipt", "no json", "other json"])
def test_a_damaged_cache_is_fetched_anew(cache: Path, server: Server, publish: Publish, damage: str) -> None:
    publish(server.url("a.pth", "whole"))
    fetch.ensure(NAME, copy)
    file, note = cache / f"{NAME}.safetensors", cache / f"{NAME}.json"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    elif damage in ("gone", "receipt"):
        (file if damage == "gone" else note).unlink()
    else:
        note.write_text("{" if damage == "no json" else json.dumps({"name": NAME}))
    assert fetch.cached(NAME) is None
    fetch.ensure(NAME, copy)
    right(cache)


def test_offline_keeps_to_what_is_here(
    cache: Path, server: Server, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server.url("a.pth", "whole"))
    for forbid in (True, False):
        if not forbid:
            monkeypatch.setenv("REVERIE_OFFLINE", "1")
        with pytest.raises(MissingError, match=r"is offline; run 'reverie weights fetch squee.*weights=FILE"):
            fetch.ensure(NAME, copy, forbidden=forbid)
    assert server.asked == [] and not cache.exists()
    monkeypatch.setenv("REVERIE_OFFLINE", "0")
    fetch.ensure(NAME, copy)
    monkeypatch.setenv("REVERIE_OFFLINE", "yes")
    assert fetch.ensure(NAME, copy, forbidden=True, check=True).exists()
    monkeypatch.setenv("REVERIE_OFFLINE", "perhaps")
    with pytest.raises(UsageError, match="must be 1 or 0"):
        fetch.is_offline()


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot be written: .*; set REVERIE_CACHE to another folder"):
        fetch.ensure(NAME, copy)


def test_a_full_disk_leaves_nothing(cache: Path, server: Server, publish: Publish) -> None:
    def full(_source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    publish(server.url("a.pth", "whole"))
    with pytest.raises(OutputError, match="the disk is full"):
        fetch.ensure(NAME, full)
    assert names(cache) == set()


def test_a_listener_hears_what_is_done(cache: Path, server: Server, publish: Publish) -> None:
    publish(server.url("a.pth", "truncated", "whole"))
    heard: list[tuple[str, int, int]] = []
    with fetch.listening(lambda *event: heard.append(event)):
        fetch.ensure(NAME, copy)
    fetching = f"fetching {published(NAME).file}"
    assert (fetching, len(CONTENT), len(CONTENT)) in heard
    assert all(done <= total for what, done, total in heard if what == fetching)
    assert list(dict.fromkeys(each[0] for each in heard)) == [
        fetching, f"trying {published(NAME).file} again", f"converting {NAME}"
    ]  # fmt: skip


CHILD = f"""
import sys
from dataclasses import replace
from reverie.zoo import fetch
from reverie.zoo.catalog import entries, published
entries()["{NAME}"] = replace(published("{NAME}"), addresses=(sys.argv[1],), sha256="{SHA}")
def copy(source, target): target.write_bytes(source.read_bytes()[::-1])
with fetch.listening(lambda what, done, total: print(what, flush=True)):
    print(fetch.ensure("{NAME}", copy))
"""


def child(address: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CHILD, address], stdout=subprocess.PIPE, text=True)


def test_two_processes_fetch_once(cache: Path, server: Server) -> None:
    address = server.url("a.pth", "slow")
    both = [child(address), child(address)]
    said = [each.communicate(timeout=30)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert server.asked == ["/a.pth"]
    assert all(str(cache / f"{NAME}.safetensors") in each for each in said)
    assert sum("waiting for another Reverie" in each for each in said) == 1
    right(cache)


def test_a_killed_fetch_leaves_no_file_and_no_lock(cache: Path, server: Server, publish: Publish) -> None:
    address = server.url("a.pth", "stalled")
    running = child(address)
    part = cache / f"{NAME}.part"
    for _ in range(500):
        if part.exists() and part.stat().st_size:
            break
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=10)
    assert names(cache) == {part.name}
    assert fetch.cached(NAME) is None
    publish(server.url("a.pth", "whole"))
    fetch.ensure(NAME, copy)
    right(cache)


def test_a_file_that_the_user_has_is_adopted(cache: Path, tmp_path: Path, publish: Publish) -> None:
    publish(sha256=SHA[:8])
    file = tmp_path / "mine"
    file.write_bytes(CONTENT)
    assert fetch.adopt_file(NAME, file, copy).trust == "published"
    right(cache)
    assert file.read_bytes() == CONTENT
    publish(sha256="00000000")
    assert fetch.adopt_file(NAME, file, copy).trust == "imported"
    right(cache, "imported")
    file.write_bytes(b"short")
    for bad in (file, tmp_path / "none", tmp_path):
        with pytest.raises(InputError):
            fetch.adopt_file(NAME, bad, copy)
    right(cache, "imported")
    assert [each.name for each in fetch.receipts()] == [NAME]


def test_the_cache_has_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REVERIE_CACHE")
    assert fetch.folder().parts[-2:] == ("reverie", "weights")
    monkeypatch.setenv("REVERIE_CACHE", "~/here")
    assert fetch.folder() == Path(os.path.expanduser("~/here/weights"))


def test_the_table_says_of_everything_where_it_is_and_what_is_not_known() -> None:
    for name, entry in entries().items():
        assert bool(entry.addresses) != bool(entry.package)
        if entry.package:
            assert len(entry.sha256) == 64 and entry.version and entry.inside.endswith(f"/{entry.file}")
        assert all(each.startswith("http") and each.endswith(entry.file) for each in entry.addresses)
        assert entry.credit and entry.labels in SIZES
        assert len(entry.sha256) in (0, 8, 64) and len(entry.sha1) in (0, 40)
        if entry.sha256:
            assert f"-{entry.sha256[:8]}.pth" in entry.file  # torchvision writes it there
        assert ("@" in name) == entry.labels.startswith("places")
        assert entry.license or "license" in entry.note
    assert published("googlenet-bvlc").hash == "sha1 405fc5acd08a3bb12de8ee5e23a96bec22f08204"
    assert published("vgg16").hash == "sha256 begins with 397923af"
    assert published("vgg16@places365").hash == "not published"
    with pytest.raises(UnknownName, match="did you mean 'resnet50@places365'"):
        published("resnet50@places")


def test_lists_of_classes_are_whole_and_in_order() -> None:
    scenes = label_places("places365")
    assert len(scenes) == len(set(scenes)) == 365
    assert (scenes[0], scenes[8], scenes[364]) == ("airfield", "apartment building/outdoor", "zen garden")
    assert len(label_places("places205")) == len(set(label_places("places205"))) == 205
    assert label_places("places205")[:3] == ("abbey", "airport terminal", "alley")
    ids = synsets(1000)
    assert list(ids) == sorted(set(ids)) and len(ids) == 1000
    names = imagenet()
    facts = {"n01440764": (0, "tench"), "n01729977": (55, "green snake"), "n02123045": (281, "tabby"),
             "n02099601": (207, "golden retriever"), "n15075141": (999, "toilet tissue")}  # fmt: skip
    assert {each: (ids.index(each), names[ids.index(each)].split(",")[0]) for each in facts} == facts
    assert not any("''" in name for name in names)
    old = synsets(1008)
    assert {name for name, each in zip(inception5h(1008), old, strict=True) if not each} == {
        "unused 0", *(f"unused {at}" for at in range(1001, 1008))
    }  # fmt: skip
    assert inception5h(1008)[old.index("n01729977")].startswith("green snake")
    assert synsets(365) == ()


def test_the_documentation_tells_of_every_entry_and_of_what_was_not_tried() -> None:
    text = (Path(__file__).parents[2] / "docs" / "weights.md").read_text("utf-8")
    assert "No download on this page could be tried" in text
    told = dict(zip(entries(), text.split("\n### ")[1:], strict=True))
    for name, entry in entries().items():
        assert told[name].startswith(f"`{name}`\n")
        for fact in (entry.file, *entry.addresses, entry.hash, entry.license or "not stated", entry.credit, entry.note):
            assert fact in told[name]
    for variable in ("REVERIE_CACHE", "REVERIE_OFFLINE", "REVERIE_MIRROR"):
        assert f"`{variable}`" in text
