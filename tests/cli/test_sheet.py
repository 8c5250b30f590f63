"""The atlas on the command line: layers, channels, find, inspect and motifs, their files and their refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import reverie
from reverie import atlas, zoo
from reverie.cli import main
from reverie.errors import OutputError

QUICK = ["--size", "40x32", "--steps", "1", "--octaves", "1", "--precision", "fp32", "--quiet"]
SAME = {"size": "40x32", "steps": 1, "octaves": 1, "precision": "fp32"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photo(folder):
    Image.effect_noise((80, 60), 60).convert("RGB").save(folder / "photo.png")
    return folder / "photo.png"


def opened(path: str | Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def cell(page: np.ndarray, at: int, columns: int, size: tuple[int, int] = (32, 40)) -> np.ndarray:
    """The picture of number ``at`` on a titled sheet."""
    y, x = 36 + at // columns * (size[0] + 28), 6 + at % columns * (size[1] + 6)
    return page[y : y + size[0], x : x + size[1]]


def shape(path: str | Path, count: int, columns: int = 0) -> bool:
    return opened(path).shape[:2] == atlas.sheet_size(count, (32, 40), columns, "titled")


def refused(capsys, code, *arguments):
    before = set(Path.cwd().rglob("*"))
    assert main([str(each) for each in arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("reverie: ") and err.count("\n") == 1 and "Traceback" not in err
    assert set(Path.cwd().rglob("*")) == before
    return err


def test_layers_dreams_each_layer_worth_a_look_as_reverie_dream_would(photo, capsys):
    assert main(["layers", "motif", str(photo), "--sheet", "out.png", "--columns", "4", *QUICK]) == 0
    assert capsys.readouterr() == ("", "")
    assert shape("out.png", 11, 4)
    page = opened("out.png")
    for at, name in ((0, "stage1"), (6, "stage3"), (10, "logits")):
        alone = reverie.dream(photo, objective=f"layer:{name}", **SAME).numpy()
        assert (cell(page, at, 4) == alone).all(), name
    assert not (cell(page, 0, 4) == cell(page, 6, 4)).all()


def test_layers_of_a_kind_into_a_folder(folder, capsys):
    (folder / "sheets").mkdir()
    command = ["layers", "motif", "--kind", "conv", "--sheet", "sheets", *QUICK[:-1]]
    assert main(command) == 0
    assert main(command) == 0
    assert "wrote sheets/motif-layers.png" in capsys.readouterr().err
    assert sorted(each.name for each in (folder / "sheets").iterdir()) == ["motif-layers-2.png", "motif-layers.png"]
    convolutions = [each for each in zoo.architecture("motif").layers if "conv" in each.kind]
    assert shape("sheets/motif-layers.png", len(convolutions))


def test_layers_still_lists_and_kind_all_is_everything(capsys):
    assert main(["layers", "motif", "--kind", "all", "--json"]) == 0
    everything = json.loads(capsys.readouterr().out)
    assert len(everything) == len(zoo.architecture("motif").layers)


def test_channels_are_split_into_pages(capsys):
    common = ["channels", "motif", "stage1", "--no-classes", "--per-page", "12", *QUICK[:-1]]
    assert main([*common, "--sheet", "out.png", "--page", "all"]) == 0
    said = capsys.readouterr().err
    assert [f"wrote out-{page}.png" in said for page in (1, 2, 3, 4)] == [True, True, True, False]
    assert shape("out-1.png", 12) and shape("out-2.png", 12) and shape("out-3.png", 8)
    assert main([*common, "--sheet", "two.png", "--page", "2"]) == 0
    assert opened("two.png").tobytes() == opened("out-2.png").tobytes()
    assert not Path("out.png").exists()
    dreamt = reverie.dream(objective="stage1:29", **SAME).numpy()
    columns = (opened("out-3.png").shape[1] - 6) // 46
    assert (cell(opened("out-3.png"), 5, columns) == dreamt).all()


def test_the_first_of_several_pages_says_that_there_are_more_and_one_page_has_no_number(capsys):
    common = ["channels", "motif", "stage1", "--no-classes", *QUICK[:-1]]
    assert main([*common, "--sheet", "a.png", "--per-page", "29"]) == 0
    assert "3 more channels are on further pages; --page 2" in capsys.readouterr().err
    assert main([*common, "--sheet", "b.jpg", "--page", "all"]) == 0
    assert "more channels" not in capsys.readouterr().err
    assert Path("b.jpg").exists() and not Path("b-1.jpg").exists()


def test_channels_lists_activation_on_noise_and_the_classes_fed(capsys):
    assert main(["channels", "motif", "stage4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    network = zoo.load("motif")
    weights = network.module.logits.weight[:, :, 0, 0]
    assert len(found) == weights.shape[1]
    for each in found[:20]:
        assert each["layer"] == "stage4" and 0 <= each["active"] <= 1 and each["mean"] >= 0
        assert each["classes"][0]["class"] == weights[:, each["channel"]].argmax().item()
        assert each["classes"][0]["label"] == network.labels[each["classes"][0]["class"]]
    assert main(["channels", "motif", "stage1", "--no-classes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 32 and lines[7].split("\t")[0] == "7" and lines[7].split("\t")[3] == ""


def test_find_lists_the_channels_with_the_largest_weights(capsys):
    assert main(["find", "owl", "--network", "motif", "--top", "7", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    weights = zoo.load("motif").module.logits.weight[0, :, 0, 0]
    assert [each["channel"] for each in found["channels"]] == weights.argsort(descending=True)[:7].tolist()
    assert found["method"] == "weights" and found["classes"] == [{"class": 0, "label": "owl"}]
    assert found["channels"][0]["value"] == pytest.approx(weights.max().item(), abs=1e-4)
    objective = found["channels"][0]["objective"]
    assert reverie.job(objective=objective, size="40x32").plan.octaves[0].objective.layers == {"stage4"}
    assert main(["find", "owl", "--top", "2"]) == 0
    out, err = capsys.readouterr()
    assert [line.split("\t")[0] for line in out.splitlines()] == [objective, found["channels"][1]["objective"]]
    assert "by its weights" in err


def test_find_in_a_picture_and_in_all_layers(photo, capsys):
    options = ["--image", str(photo), "--layer", "all", "--top", "30", "--json"]
    assert main(["find", "rose|owl", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["method"] == "gradient" and [each["label"] for each in found["classes"]] == ["rose", "owl"]
    values = [each["value"] for each in found["channels"]]
    assert values == sorted(values, reverse=True) and len({each["layer"] for each in found["channels"]}) > 3
    assert not {"logits"} & {each["layer"] for each in found["channels"]}


def test_find_dreams_examples_where_a_layer_feeds_nothing_directly(capsys, monkeypatch):
    monkeypatch.setattr("reverie.atlas.attribution.EXAMPLE_SIDE", 48)
    assert main(["find", "owl", "--layer", "stage3", "--top", "3"]) == 0
    out, err = capsys.readouterr()
    assert all(line.startswith("stage3:") for line in out.splitlines()) and "gradient times activation" in err


def test_a_layer_that_feeds_nothing_is_told_and_is_not_the_default(photo, capsys, monkeypatch, tiny):
    with torch.no_grad():
        tiny.module.conv2.weight.zero_()
        tiny.module.conv2.bias.fill_(1.0)
    monkeypatch.setattr("reverie.zoo.load", lambda *_arguments, **_options: tiny)
    assert "Nothing in first feeds owl" in refused(capsys, 2, "find", "owl", "--layer", "first", "-i", photo)
    with torch.no_grad():
        tiny.module.logits.weight[0].zero_()
    assert "No layer of tiny feeds its classes" in refused(capsys, 2, "find", "owl")


def test_find_dreams_what_it_found(capsys):
    assert main(["find", "owl", "--top", "3", "--sheet", "owl.webp", *QUICK]) == 0
    assert capsys.readouterr() == ("", "")
    assert shape("owl.webp", 3)


def test_inspect_tells_layers_and_classes_and_draws_heat(photo, capsys):
    assert main(["inspect", str(photo), "--network", "motif", "--sheet", "heat.png", "--top", "2"]) == 0
    out, err = capsys.readouterr()
    table, classes = out.split("\n\nclasses: ")
    assert [line.split("\t")[0] for line in table.splitlines()][-2:] == ["stage4", "logits"]
    assert len(classes.split(", ")) == 10 and "wrote heat.png" in err
    assert opened("heat.png").shape[:2] == atlas.sheet_size(1 + 11, (60, 80), 0, "t")
    first = opened("heat.png")[36:96, 6:86]
    assert (first == opened(photo)).all()
    assert main(["inspect", str(photo), "--json", "--size", "40", "--layers", "stage2, stage3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["width"], found["height"]) == (40, 30)
    assert [each["layer"] for each in found["layers"]] == ["stage2", "stage3"]
    assert len(found["layers"][0]["channels"]) == 5
    assert set(found["layers"][0]["channels"][0]) == {"channel", "mean", "noise", "excess"}
    assert sum(each["probability"] for each in found["classes"]) <= 1


def test_inspecting_one_layer_shows_its_channels(photo, capsys):
    assert main(["inspect", str(photo), "--layers", "stage2", "--sheet", "heat.png", "--quiet"]) == 0
    assert opened("heat.png").shape[:2] == atlas.sheet_size(1 + 1 + 8, (60, 80), 0, "t")


def test_motifs_dreams_every_class_and_each_as_reverie_dream_would(capsys):
    assert main(["motifs", "--columns", "8", *QUICK]) == 0
    assert capsys.readouterr() == ("", "")
    labels = zoo.load("motif").labels
    assert shape("motifs.png", len(labels), 8)
    at = labels.index("rose")
    assert (cell(opened("motifs.png"), at, 8) == reverie.dream(objective="rose", **SAME).numpy()).all()
    assert main(["motifs", "--per-page", "2", *QUICK]) == 0  # the first is never overwritten unasked
    assert shape("motifs-2.png", 2)


def test_what_sleeps_is_dreamt_before_its_relu_or_called_silent(monkeypatch, tiny):
    with torch.no_grad():
        tiny.module.conv1.bias[2] = -50.0
    monkeypatch.setattr("reverie.zoo.load", lambda *_arguments, **_options: tiny)
    captions = []
    draw = atlas.sheet

    def watched(cells, columns, title):
        captions.append(([name for name, _ in cells], title))
        return draw(cells, columns, title)

    monkeypatch.setattr("reverie.atlas.sheet", watched)
    assert main(["channels", "motif", "relu1", "--no-classes", "--sheet", "out.png", *QUICK]) == 0
    assert captions == [(["0", "1", "2 *", "3", "4", "5"], "tiny · relu1 · 6 channels · * before ReLU")]


@pytest.mark.parametrize(("arguments", "words"), [
    (["layers", "motif", "photo.png"], "--sheet FILE"),
    (["layers", "motif", "--steps", "3"], "--steps is for a contact sheet"),
    (["channels", "motif", "stage1", "--per-page", "3"], "--per-page is for a contact sheet"),
    (["find", "owl", "--steps", "3"], "--steps is for a contact sheet"),
    (["layers", "motif", "--sheet", "o.png", "--json"], "leave out"),
    (["channels", "motif", "stage1", "--sheet", "o.png", "--json"], "leave out"),
    (["layers", "motif", "--sheet", "o.png", "--kind", "cnv"], "'conv2d'"),
    (["layers", "motif", "--sheet", "o.png", "--columns", "-1"], "--columns must be"),
    (["layers", "motif", "--sheet", "o.png", "--page", "0"], "--page must be"),
    (["layers", "motif", "--sheet", "o.png", "--page", "two"], "--page must be"),
    (["layers", "motif", "--sheet", "o.png", "--page", "2"], "--page must be at most 1"),
    (["layers", "motif", "--sheet", "o.png", "--per-page", "0"], "--per-page must be"),
    (["motifs", "--per-page", "0"], "--per-page must be"),
    (["layers", "motif", "--sheet", "o.png", "--steps", "0"], "--steps must be"),
    (["layers", "motiv", "--sheet", "o.png"], "'motif'"),
    (["channels", "motif", "stag1"], "'stage1'"),
    (["channels", "motif", "stag1", "--sheet", "o.png"], "'stage1'"),
    (["find", "owll"], "'owl'"),
    (["find", "owl", "--layer", "stag3"], "'stage3'"),
    (["find", "owl", "--top", "0"], "--top must be"),
    (["inspect", "photo.png", "--top", "0"], "--top must be"),
    (["inspect", "photo.png", "--size", "9"], "--size must be"),
    (["inspect", "photo.png", "--layers", ","], "names no layer"),
    (["inspect", "photo.png", "--layers", "stag3"], "'stage3'"),
    (["motifs", "--objective", "owl"], "takes no --objective"),
])
def test_usage_is_refused_with_2(photo, capsys, arguments, words):
    assert words in refused(capsys, 2, *arguments)


def test_output_is_refused_with_5_before_any_work(photo, folder, capsys, monkeypatch):
    monkeypatch.setattr("reverie.loop.render.render", lambda *_arguments: pytest.fail("work was done"))
    (folder / "there.png").write_bytes(b"precious")
    (folder / "out-2.png").write_bytes(b"precious")
    for command in (["layers", "motif"], ["channels", "motif", "stage1"], ["find", "owl"], ["inspect", "photo.png"]):
        assert "--overwrite" in refused(capsys, 5, *command, "--sheet", "there.png")
        assert ".png" in refused(capsys, 5, *command, "--sheet", "sheet.docx")
        assert "folder" in refused(capsys, 5, *command, "--sheet", "no/such/x.png")
    assert "there.png" in refused(capsys, 5, "motifs", "-o", "there.png")
    paged = ["channels", "motif", "stage1", "--sheet", "out.png", "--page", "all", "--per-page", "30", "--no-classes"]
    assert "out-2.png" in refused(capsys, 5, *paged, *QUICK)
    assert (folder / "there.png").read_bytes() == b"precious"


def test_other_refusals_have_their_codes(photo, folder, capsys):
    (folder / "text.png").write_text("no picture")
    assert "text.png" in refused(capsys, 3, "inspect", "text.png")
    assert "gone.png" in refused(capsys, 3, "find", "owl", "--image", "gone.png")
    for command in (["layers", "squeezenet1_0", "--sheet", "o.png"], ["channels", "squeezenet1_0", "fire5"],
                    ["find", "snake", "-n", "squeezenet1_0"], ["inspect", "photo.png", "-n", "squeezenet1_0"]):
        assert "--weights" in refused(capsys, 4, *command)


def test_an_interrupted_sheet_leaves_nothing_and_finished_pages_stay(folder, capsys, monkeypatch):
    real, calls = atlas.dreams, []

    def tired(*arguments):
        calls.append(1)
        if len(calls) > 20:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr("reverie.atlas.dreams", tired)
    paged = ["channels", "motif", "stage1", "--sheet", "out.png", "--page", "all", "--per-page", "16", "--no-classes"]
    assert main([*paged, *QUICK]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert [each.name for each in folder.iterdir()] == ["out-1.png"]


def test_a_sheet_too_wide_for_its_format_is_refused_before_any_work(monkeypatch, capsys):
    monkeypatch.setattr("reverie.atlas.dreams", lambda *_arguments: pytest.fail("work was done"))
    wide = ["channels", "motif", "stage1", "--sheet", "o.webp", "--columns", "48", "--size", "640x64", "--no-classes"]
    assert "16383" in refused(capsys, OutputError.exit_code, *wide)
