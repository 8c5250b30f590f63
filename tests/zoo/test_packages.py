"""Weights inside installed packages: found without running them, and refused in a sentence where they do not fit."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reverie import zoo
from reverie.cli import main
from reverie.errors import MissingError
from reverie.zoo import fetch, packages
from reverie.zoo.catalog import Published, entries, published

NAME = "efficientnet_lite0"
PACKAGE = "reverie-test-weights"
INSIDE = "reverie_test_weights/models/lite0.pth"

Install = Callable[..., Path]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Random weights of the right shapes, saved as the packages save theirs."""
    path = tmp_path_factory.mktemp("made") / "lite0.pth"
    torch.manual_seed(0)
    torch.save(zoo.architecture(NAME).module.state_dict(), path)
    return path.read_bytes()


@pytest.fixture
def install(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Lays a package into a folder that Python looks into; importing the package would fail the test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    entry = replace(
        published(NAME), package=PACKAGE, version="0.1.0", inside=INSIDE, sha256=hashlib.sha256(content).hexdigest()
    )
    monkeypatch.setitem(entries(), NAME, entry)

    def lay(version: str = "0.1.0", data: bytes | None = content) -> Path:
        about = site / f"reverie_test_weights-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {version}\n")
        (about / "RECORD").write_text(f"{INSIDE},,\n")
        file = site / INSIDE
        file.parent.mkdir(parents=True)
        (site / "reverie_test_weights" / "__init__.py").write_text("raise SystemExit('imported')\n")
        if data is not None:
            file.write_bytes(data)
        return file

    return lay


def refused() -> str:
    with pytest.raises(MissingError) as caught:
        zoo.load(NAME)
    assert fetch.cached(NAME) is None
    return str(caught.value)


def test_weights_are_read_once_from_the_package_without_importing_it(install: Install, content: bytes) -> None:
    assert not fetch.available(NAME)
    file = install()
    assert fetch.available(NAME)
    network = zoo.load(NAME, offline=True)
    assert "reverie_test_weights" not in sys.modules
    assert network.sha256 == hashlib.sha256(content).hexdigest()
    assert network.labels[0].startswith("tench")
    known = fetch.receipt(NAME)
    assert known is not None and (known.trust, known.origin) == ("published", f"{PACKAGE} 0.1.0")
    file.unlink()  # what was converted is enough
    again = zoo.load(NAME)
    assert torch.equal(again.module.classifier.weight, network.module.classifier.weight)


def test_a_missing_package_is_answered_with_the_line_that_installs_it(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "run pip install 'reverie-test-weights==0.1.0', give a file with weights=FILE" in refused()
    assert main(["dream", "noise", "--size", "32", "--network", NAME]) == 4
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"reverie: The weights of {NAME} come with the package {PACKAGE}, which is not installed;")


def test_other_bytes_another_version_and_an_absent_file_are_one_sentence_each(
    install: Install, content: bytes, tmp_path: Path
) -> None:
    file = install(data=content[:-1] + b"?")
    assert "holds other bytes than what is published (SHA-256" in (said := refused())
    assert said.endswith("run pip install 'reverie-test-weights==0.1.0' --force-reinstall --no-deps.")
    file.unlink()
    assert f"has no file {INSIDE}; run pip install" in refused()
    file.mkdir()
    assert "cannot be read: Is a directory" in refused()


def test_another_version_with_other_weights_is_refused_and_with_these_taken(install: Install, content: bytes) -> None:
    file = install(version="0.2.0", data=b"something else")
    said = refused()
    assert f"{PACKAGE} is installed in version 0.2.0, which holds other bytes" in said
    assert said.endswith("come with version 0.1.0: run pip install 'reverie-test-weights==0.1.0'.")
    file.write_bytes(content)
    assert zoo.load(NAME).sha256 == hashlib.sha256(content).hexdigest()


def test_a_package_that_holds_code_instead_of_weights_is_refused(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = b"\x80\x02cos\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03."
    install(data=bad)
    monkeypatch.setitem(entries(), NAME, replace(published(NAME), sha256=hashlib.sha256(bad).hexdigest()))
    with pytest.raises(Exception, match="holds code, not only weights, and was not opened"):
        zoo.load(NAME)


def test_a_cache_that_cannot_be_written_does_not_stop_a_packaged_network(
    install: Install, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install()
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "file"))
    assert zoo.load(NAME).sha256 == hashlib.sha256(content).hexdigest()


def test_a_damaged_cache_is_mended_from_the_package(install: Install) -> None:
    install()
    path = zoo.fetched(NAME)
    before = path.read_bytes()
    path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    assert zoo.fetched(NAME, check=True).read_bytes() == before


def told(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    assert main(list(arguments)) == code
    return capsys.readouterr().out


def test_the_commands_know_weights_in_packages(
    install: Install, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    def row(command: str) -> dict[str, object]:
        rows = json.loads(told(capsys, 0, *command.split(), "--json"))
        return next(each for each in rows if each["name"] == NAME)

    assert row("weights list")["installed"] == ""
    assert row("networks")["ready"] is False
    assert f"in the package {PACKAGE}" in told(capsys, 0, "networks")
    assert main(["weights", "verify", NAME]) == 4
    assert "pip install" in capsys.readouterr().err
    file = install()
    assert row("weights list")["installed"] == "0.1.0" and row("weights list")["here"] is False
    assert "in its package" in told(capsys, 0, "weights", "list")
    assert row("networks")["ready"] is True
    doctor = json.loads(told(capsys, 0, "doctor", "--json"))
    assert NAME in doctor["networks"] and f"{PACKAGE} 0.1.0" in doctor["packages"]
    assert told(capsys, 0, "weights", "where", NAME) == f"{file}\n"
    assert json.loads(told(capsys, 0, "weights", "verify", NAME, "--json"))["intact"] is True
    told(capsys, 0, "weights", "fetch", NAME)
    assert told(capsys, 0, "weights", "where", NAME) == f"{fetch.path_of(NAME)}\n"
    assert row("weights list")["here"] is True
    fetch.path_of(NAME).unlink()
    file.write_bytes(content[:100])
    assert f"{NAME}\tdamaged" in told(capsys, 3, "weights", "verify", NAME)


def test_a_package_that_is_not_named_is_never_installed() -> None:
    assert packages.installed(published("vgg16")) is None
    assert not any(isinstance(entry, Published) and entry.package for entry in entries().values() if entry.addresses)


@pytest.mark.parametrize("name", [name for name, entry in entries().items() if entry.package])
def test_the_real_packages_hold_what_the_table_says(name: str) -> None:
    if packages.installed(published(name)) is None:
        pytest.skip(f"{published(name).package} is not installed")
    assert packages.packaged_file(published(name)).name == published(name).file
