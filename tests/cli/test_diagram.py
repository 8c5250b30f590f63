"""`reverie layers`: its filter, its facts, and the diagram it draws."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reverie import zoo
from reverie.cli import main
from reverie.cli.diagram import ROW_HEIGHT, diagram

SVG = "{http://www.w3.org/2000/svg}"


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["layers", *arguments]) == 0
    return capsys.readouterr().out


def test_the_receptive_field_and_the_inputs_stand_in_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    listed = {each["name"]: each for each in json.loads(told(capsys, "googlenet-bvlc", "--json"))}
    assert listed["inception_4c"] == {
        "name": "inception_4c",
        "aliases": ["inception_4c/output"],
        "kind": "block",
        "channels": 512,
        "stride": 16,
        "receptive": 299,
        "inputs": [f"inception_4b.relu_{each}" for each in ("1x1", "3x3", "5x5", "pool_proj")],
    }
    row = next(line for line in told(capsys, "googlenet-bvlc").splitlines() if line.startswith("inception_4c\t"))
    assert row.split("\t") == ["inception_4c", "inception_4c/output", "block", "512", "16", "299"]


@pytest.mark.parametrize(("kind", "kinds"), [("conv", {"conv2d"}), ("POOL", {"maxpool2d", "adaptiveavgpool2d"})])
def test_a_kind_may_be_asked_for(capsys: pytest.CaptureFixture[str], kind: str, kinds: set[str]) -> None:
    listed = json.loads(told(capsys, "resnet18", "--kind", kind, "--json"))
    assert {each["kind"] for each in listed} == kinds
    assert len(told(capsys, "resnet18", "--kind", kind).splitlines()) == len(listed)  # no classes below it


def test_a_kind_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "motif", "--kind", "comv"]) == 2
    assert "no kind of layer 'comv'; did you mean 'conv2d'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "inception_v1", "inception_v3", "resnet50", "motif"])
def test_a_diagram_has_every_layer_in_a_box_and_no_box_over_another(name: str) -> None:
    network = zoo.architecture(name)
    root = ElementTree.fromstring(diagram(network))
    texts = [each.text or "" for each in root.iter(f"{SVG}text")]
    for layer in network.layers:
        if layer.kind in ("conv2d", "linear", "maxpool2d"):
            assert any(text.endswith(layer.name) for text in texts), layer.name
        if layer.kind == "linear":
            assert f"linear · {layer.channels} ch" in texts or f"linear + relu · {layer.channels} ch" in texts
    boxes = [[float(box.get(key, 0)) for key in ("y", "x", "width", "height")] for box in root.iter(f"{SVG}rect")]
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    rows: dict[int, list[tuple[float, float]]] = {}
    for y, x, wide, high in boxes[1:]:  # the first is the paper
        assert x >= 0 and y >= 0 and x + wide <= width and y + high <= height and high < ROW_HEIGHT
        rows.setdefault(round((y + high / 2 - 70) / ROW_HEIGHT), []).append((x, x + wide))
    for row in rows.values():
        assert all(left[1] <= right[0] for left, right in pairwise(sorted(row)))


def test_a_diagram_shows_branches_and_their_block() -> None:
    drawn = diagram(zoo.architecture("googlenet"))
    root = ElementTree.fromstring(drawn)
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert {"inception_4c · inception4c", "512 ch · /16", "conv + bn + relu · 64 ch · /2"} <= set(texts)
    # Nine blocks of four branches: each has four lines in and four out, and three within.
    assert len(list(root.iter(f"{SVG}path"))) >= 9 * 11


def test_a_diagram_is_drawn_and_never_over_another_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.svg"
    told(capsys, "motif", "--diagram", str(out))
    assert ElementTree.parse(out).getroot().tag == f"{SVG}svg"
    out.write_text("mine")
    assert main(["layers", "motif", "--diagram", str(out)]) == 5
    assert "exists already; choose another name" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["layers", "motif", "--diagram", str(tmp_path / "none" / "out.svg")]) == 5
    assert "cannot be written" in capsys.readouterr().err


def test_every_class_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "squeezenet1_0", "--kind", "class"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) >= 1000
    assert [row.split()[:2] for row in rows if "green snake" in row] == [["55", "n01729977"]]
    assert main(["layers", "squeezenet1_0", "--kind", "class", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 1000
    assert (found[55]["class"], found[55]["synset"]) == (55, "n01729977")


def test_a_score_above_max_gain_at_once_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "a.png")
    options = ["--network", "motif", "--size", "64", "--steps", "1", "--octaves", "1", "--max-gain", "-1000000"]
    assert main(["dream", "noise", *options, "--out", out]) == 0
    assert "above --max-gain -1e+06 at once" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "ours"),
    [("--iterations", "--steps"), ("--tile-size", "--tile"), ("--c_class", "--objective"), ("--class", "--objective")],
)
def test_options_of_other_programs_are_named(option: str, ours: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([option, "3"], [f"{option}=3"]):
        assert main(["dream", "noise", *words]) == 2
        assert f"There is no option {option}; say {ours} instead" in capsys.readouterr().err
