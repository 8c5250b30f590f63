"""``reverie weights`` and first use, through the real entry point and a server on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import reverie
from reverie import zoo
from reverie.cli import main
from reverie.jobs import sources
from reverie.pixels.ops import unit
from reverie.zoo import fetch
from reverie.zoo.catalog import entries, published
from tests.support.loopback import Server, serving

NAME = "squeezenet1_1"
QUICK = ["--size", "64", "--steps", "1", "--octaves", "1", "--precision", "fp32"]
Publish = Callable[..., None]


@pytest.fixture(scope="module")
def published_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / published(NAME).file
    torch.manual_seed(0)
    torch.save(zoo.architecture(NAME).module.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def running(published_file: Path) -> Iterator[Server]:
    with serving(published_file.read_bytes()) as server:
        yield server


@pytest.fixture
def server(running: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server, an empty cache, and a folder with a photo to stand in."""
    running.ways.clear()
    running.asked.clear()
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REVERIE_OFFLINE")
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    monkeypatch.chdir(tmp_path)
    for name, entry in list(entries().items()):
        if entry.package:  # whether it is installed must not matter here
            monkeypatch.setitem(entries(), name, replace(entry, package="reverie-absent-package"))
    Image.effect_noise((80, 64), 60).convert("RGB").save("photo.png")
    return running


@pytest.fixture
def publish(server: Server, monkeypatch: pytest.MonkeyPatch) -> Publish:
    def change(*ways: str | bytes, known: bool = True) -> None:
        digest = hashlib.sha256(server.content).hexdigest()[:8] if known else ""
        entry = replace(published(NAME), addresses=(server.url("a.pth", *ways),), sha256=digest)
        monkeypatch.setitem(entries(), NAME, entry)

    return change


def refused(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    assert main(list(arguments)) == code
    out, err = capsys.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("reverie: ") and "Traceback" not in err
    return last


def test_the_first_dream_fetches_and_the_next_does_not(
    publish: Publish, server: Server, published_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish("truncated", "whole")
    assert main(["dream", "photo.png", "--network", NAME, "-o", "a.png", *QUICK]) == 0
    said = capsys.readouterr().err
    assert said.splitlines() == [
        f"reverie: fetching {published(NAME).file} (5 MB)",
        f"reverie: trying {published(NAME).file} again",
        f"reverie: converting {NAME}",
        "reverie: wrote a.png",
    ]
    assert main(["dream", "photo.png", "--network", NAME, "-o", "b.png", "--offline", *QUICK]) == 0
    assert len(server.asked) == 2
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    # The same weights by hand: equal pixels, and the Record names the same file.
    assert main(["dream", "photo.png", "--network", NAME, "--weights", str(published_file), "-o", "c.png", *QUICK]) == 0
    with Image.open("a.png") as first, Image.open("c.png") as second:
        assert first.tobytes() == second.tobytes()
    records = [reverie.replay(each, trust=True).record.asset("weights") for each in ("a.png", "c.png")]
    assert records[0].sha256 == records[1].sha256 == hashlib.sha256(published_file.read_bytes()).hexdigest()
    assert main(["replay", "a.png", "-o", "d.png", "--offline"]) == 0
    assert Path("a.png").read_bytes() == Path("d.png").read_bytes()


def test_quiet_is_quiet_and_json_is_json(publish: Publish, capsys: pytest.CaptureFixture[str]) -> None:
    publish("whole")
    assert main(["dream", "photo.png", "--network", NAME, "-o", "a.png", "--quiet", *QUICK]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["weights", "fetch", NAME, "--again", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["weights", "list", "--json"]) == 0
    rows = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert (rows[NAME]["here"], rows[NAME]["trust"]) == (True, "published")
    assert rows["vgg16"]["here"] is False and rows["inception_v1"]["license"] == "not stated"
    assert main(["networks", "--json"]) == 0
    ready = {each["name"]: each["ready"] for each in json.loads(capsys.readouterr().out)}
    assert ready[NAME] and ready["motif"] and not ready["vgg16@places365"]


def test_weights_that_cannot_be_had_are_4(
    publish: Publish, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("404")
    dream = ("dream", "photo.png", "--network", NAME)
    assert "answered 404 Not Found; get squeezenet1_1-b8a52dc0.pth another way" in refused(capsys, 4, *dream)
    assert f"run 'reverie weights fetch {NAME}'" in refused(capsys, 4, *dream, "--offline")
    monkeypatch.setenv("REVERIE_OFFLINE", "1")
    assert "Reverie is offline" in refused(capsys, 4, *dream)
    assert "Reverie is offline" in refused(capsys, 4, "weights", "fetch", NAME)
    assert "are not here" in refused(capsys, 4, "weights", "verify", NAME)
    assert len(server.asked) == 1
    assert not Path("squeezenet1_1").exists() and not list(Path.cwd().glob("*squeezenet*"))


@pytest.mark.parametrize(("arguments", "words"), [
    (["weights", "fetch", "vgg61"], "or 'vgg16'"),
    (["weights", "fetch", "resnet50@place365"], "'resnet50@places365'"),
    (["weights", "fetch"], "Say which weights"),
    (["weights", "import", "photo.png"], "add --as NAME"),
    (["weights", "import", "photo.png", "--as", "vgg"], "'vgg16'"),
    (["weights", "verify", "motif"], "set of weights"),
    (["dream", "photo.png", "--network", "vgg16@places205"], "'vgg16@places365'"),
    (["layers", "motif@places365"], "no network"),
])  # fmt: skip
def test_misspelt_names_are_2(
    server: Server, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert words in refused(capsys, 2, *arguments)


def test_fetch_verify_and_repair(
    publish: Publish, server: Server, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["weights", "verify"]) == 0
    assert "no weights in" in capsys.readouterr().err
    publish("whole", known=False)
    assert main(["weights", "fetch", NAME]) == 0
    said = capsys.readouterr().err
    assert "no hash is published for squeezenet1_1" in said
    assert main(["weights", "verify"]) == 0
    assert capsys.readouterr().out.startswith(f"{NAME}\tintact\tfirst use\tsha256 ")
    file = tmp_path / "cache" / "weights" / f"{NAME}.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert main(["weights", "verify", NAME, "--json"]) == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["intact"] is False
    assert err == f"reverie: 'reverie weights fetch {NAME}' brings them again.\n"
    assert "are damaged" in refused(capsys, 3, "dream", "photo.png", "--network", NAME)
    assert main(["weights", "fetch", NAME, "--quiet"]) == 0
    assert file.read_bytes() == content
    assert len(server.asked) == 2


def test_import_takes_the_name_from_the_file_or_from_as(
    server: Server, published_file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["weights", "import", str(published_file)]) == 0
    assert "is not the published file of squeezenet1_1" in capsys.readouterr().err  # ours is made up
    (tmp_path / "x").write_bytes(published_file.read_bytes())
    assert main(["weights", "import", "x", "--as", NAME, "--quiet"]) == 0
    assert "belong to another network than squeezenet1_0" in refused(
        capsys, 3, "weights", "import", "x", "--as", "squeezenet1_0"
    )
    assert "does not exist" in refused(capsys, 3, "weights", "import", "y", "--as", NAME)
    assert main(["weights", "where"]) == 0
    assert Path(capsys.readouterr().out.strip()) == tmp_path / "cache" / "weights"
    assert main(["weights", "where", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(tmp_path / "cache" / "weights")


COMMAND = f"""
import sys
from dataclasses import replace
from reverie.cli import main
from reverie.zoo.catalog import entries, published
entries()["{NAME}"] = replace(published("{NAME}"), addresses=(sys.argv[1],), sha256="")
sys.exit(main(["weights", "fetch", "{NAME}"]))
"""


def test_two_commands_at_once_download_once(server: Server) -> None:
    address = server.url("a.pth", "slow")
    both = [subprocess.Popen([sys.executable, "-c", COMMAND, address], stderr=subprocess.PIPE) for _ in range(2)]
    said = [each.communicate(timeout=60)[1] for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert server.asked == ["/a.pth"]
    assert main(["weights", "verify"]) == 0


def test_a_terminal_sees_a_bar(server: Server) -> None:
    address = server.url("a.pth", "slow")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    subprocess.run([sys.executable, "-c", COMMAND, address], stdout=theirs, stderr=theirs, env=environment, check=True)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode(errors="ignore")  # a terminal hands out what it holds, to half a letter
    os.close(ours)
    assert f"fetching {published(NAME).file}" in shown
    assert "MiB" in shown


def test_a_listing_does_not_need_torch() -> None:
    code = "from reverie.cli import main; main(['weights', 'list']); main(['weights', 'where'])"
    check = f"{code}\nimport sys\nsys.exit(int('torch' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, check=False).returncode == 0


def test_real_squeezenet_weights_dream_right(shared: Path, server: Server, tmp_path: Path) -> None:
    file = shared / "weights" / "squeezenet1_0-imagenet-fp16.safetensors"
    assert main(["weights", "import", str(file)]) == 0
    common = ["--network", "squeezenet1_0", "--objective", "green_snake", "--size", "96", "--steps", "6"]
    assert main(["dream", "photo.png", "-o", "a.png", *common]) == 0
    assert main(["dream", "photo.png", "-o", "b.png", "--weights", str(file), *common]) == 0
    network = zoo.load("squeezenet1_0")
    snake = network.require_class("n01729977")
    logits = []
    for name in ("photo.png", "a.png", "b.png"):
        pixels = unit(sources.opened(name).pixels)
        logits.append(network.capture(pixels, [network.logits])[network.logits].mean((2, 3))[0, snake].item())
    assert logits[1] > logits[0] + 3
    assert logits[1] == logits[2]
