"""The networks by name: what they are made of, and which weights files they take or refuse."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from reverie import zoo
from reverie.errors import InputError, MissingError, UnknownName
from reverie.network import Network
from reverie.objective.resolve import resolve
from reverie.zoo import weights
from reverie.zoo.squeezenet import imagenet
from reverie.zoo.unwrapping import unwrapped
from tests.oracle import squeezenet as twin
from tests.oracle.networks import noise, tiny_network

SQUEEZENETS = ("squeezenet1_0", "squeezenet1_1")
IMAGE = noise(1, 3, 80, 96)


def state() -> dict[str, Tensor]:
    """The weights of a tiny network of another seed."""
    return {key: value.clone() for key, value in tiny_network(seed=5).module.state_dict().items()}


def fitted(path: Path) -> Network:
    return weights.filled(tiny_network(), unwrapped(weights.read_weights(path), tiny_network))


def same(network: Network, tensors: dict[str, Tensor]) -> bool:
    own = network.module.state_dict()
    return own.keys() == tensors.keys() and all(torch.equal(own[key], tensors[key]) for key in own)


def test_an_unknown_network_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no network 'squeezenet1_2'; did you mean 'squeezenet1_"):
        zoo.load("squeezenet1_2")
    with pytest.raises(UnknownName, match="'reverie networks' lists them"):
        zoo.architecture("qqq")


def test_a_network_without_weights_names_the_file_that_fits() -> None:
    with pytest.raises(MissingError, match=r"give a file with weights=FILE .*squeezenet1_1-b8a52dc0\.pth"):
        zoo.load("squeezenet1_1")


@pytest.mark.parametrize("name", sorted(zoo.NETWORKS))
def test_every_network_of_the_table_lists_its_layers(name: str) -> None:
    network = zoo.architecture(name)
    assert network.name == name
    paths = {layer.name for layer in network.layers}
    assert network.logits in paths
    assert set(network.aliases.values()) <= paths
    ready = zoo.load(name) if zoo.entry(name).bundled else network
    assert resolve(ready, network.objective).layers <= paths
    assert zoo.entry(name).about


@pytest.mark.parametrize("name", sorted(zoo.NETWORKS))
def test_every_network_takes_the_smallest_picture_it_says(name: str) -> None:
    network = zoo.architecture(name)
    side = network.smallest
    for size in ((side, side), (side, side + 16)):
        found = network.capture(torch.full((1, 3, *size), 0.5), [network.logits])
        assert torch.isfinite(found[network.logits]).all()


def test_the_built_in_network_comes_with_weights_and_labels() -> None:
    network = zoo.load("motif")
    assert len(network.labels) == network.require_layer("logits").channels
    assert len(set(network.labels)) == len(network.labels)
    file = Path(zoo.__file__).parent / zoo.entry("motif").bundled
    assert network.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert all(network.require_class(label) == at for at, label in enumerate(network.labels))


def test_the_stages_of_the_built_in_network_halve_the_picture() -> None:
    network = zoo.architecture("motif")
    strides = [
        network.require_layer(name).stride for name in ("stage1", "stage2", "stage3", "stage4", "logits")
    ]
    assert strides == [2, 4, 8, 16, 16]


def test_a_class_of_the_built_in_network_sees_160_pixels() -> None:
    network = zoo.architecture("motif")
    for parameter in network.module.parameters():
        parameter.abs_().add_(1e-3)
    image = torch.full((1, 3, 352, 352), 1.0, requires_grad=True)
    logits = network.capture(image, ["logits"])["logits"]
    (g,) = torch.autograd.grad(logits[0, 0, 11, 11], image)
    for axis in (-1, -2):
        assert int((g.abs().sum((0, 1)).sum(axis) > 0).sum()) == 160


@pytest.mark.parametrize("name", SQUEEZENETS)
def test_squeezenet_has_the_keys_and_shapes_of_the_published_file(name: str) -> None:
    module = zoo.architecture(name).module
    assert {key: tuple(value.shape) for key, value in module.state_dict().items()} == twin.shapes(name)
    assert sum(parameter.numel() for parameter in module.parameters()) == twin.PARAMETERS[name]


@pytest.mark.parametrize("name", SQUEEZENETS)
@pytest.mark.parametrize("size", [(64, 64), (80, 97)])
def test_squeezenet_computes_what_its_twin_does(name: str, size: tuple[int, int]) -> None:
    network = zoo.architecture(name)
    image = noise(2, 3, *size)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    seen, logits = twin.forward(name, network.module.state_dict(), (image - mean) / std)
    found = network.capture(image, seen)
    for key, value in seen.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network.module((image - mean) / std), logits, rtol=1e-4, atol=1e-5)


def test_the_fire_modules_go_by_their_traditional_names() -> None:
    assert [zoo.architecture("squeezenet1_0").aliases[f"fire{n}"] for n in range(2, 10)] == [
        f"features.{at}" for at in sorted(twin.FIRES["squeezenet1_0"])
    ]
    assert zoo.architecture("squeezenet1_1").require_layer("12").name == "features.12"


def test_imagenet_has_a_thousand_names_in_order() -> None:
    names = imagenet()
    assert len(names) == 1000
    assert all(name.strip() == name != "" for name in names)
    for at, name in {
        0: "tench",
        207: "golden retriever",
        281: "tabby",
        985: "daisy",
        999: "toilet tissue",
    }.items():
        assert names[at].split(",")[0] == name


def photo(path: Path, side: int = 227) -> Tensor:
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    short = min(image.size)
    left, top = ((full - short) // 2 for full in image.size)
    image = image.crop((left, top, left + short, top + short)).resize((side, side), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def test_real_weights_see_the_cat(shared: Path) -> None:
    files = sorted((shared / "weights").glob("squeezenet1_0*.safetensors"))
    if not files or not (shared / "images" / "cat.jpg").is_file():
        pytest.skip("no real weights or no picture at hand")
    network = zoo.load("squeezenet1_0", files[0])
    logits = network.capture(photo(shared / "images" / "cat.jpg"), ["classifier.3"])["classifier.3"].flatten()
    best = logits.topk(5).indices.tolist()
    cats_and_foxes = range(277, 294)
    assert best[0] in cats_and_foxes
    assert sum(index in cats_and_foxes for index in best) >= 3


def test_weights_are_read_from_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"  # told by content, not by its name
    save_file({key: value.half() for key, value in state().items()}, path, {"labels": '["x"]'})
    read = weights.read_weights(path)
    assert {value.dtype for value in read.tensors.values()} == {torch.float32}
    assert (read.sha256, read.path) == (hashlib.sha256(path.read_bytes()).hexdigest(), path)
    assert weights.labels(read, 1) == ("x",)
    assert same(fitted(path), {key: value.half().float() for key, value in state().items()})


FORMS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "plain": lambda tensors: tensors,
    "module": lambda tensors: {f"module.{key}": value for key, value in tensors.items()},
    "state_dict": lambda tensors: {"state_dict": tensors, "epoch": 3, "best": 0.5},
    "both": lambda tensors: {"state_dict": {f"module.{key}": value for key, value in tensors.items()}},
    "parameters": lambda tensors: {key: nn.Parameter(value) for key, value in tensors.items()},
    "more": lambda tensors: {**tensors, "other.weight": torch.zeros(3)},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("zipped", [True, False])
def test_weights_are_read_from_pytorch_files(tmp_path: Path, form: str, zipped: bool) -> None:
    path = tmp_path / "a.pth"
    torch.save(FORMS[form](state()), path, _use_new_zipfile_serialization=zipped)
    assert same(fitted(path), state())


def test_a_pytorch_file_is_told_by_content_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    torch.save(state(), path)
    assert same(fitted(path), state())


def test_a_network_says_which_weights_it_has(tmp_path: Path) -> None:
    path = tmp_path / "a"
    save_file(zoo.architecture("squeezenet1_1").module.state_dict(), path)
    network = zoo.load("squeezenet1_1", str(path))
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(network.labels) == 1000


def test_a_head_of_another_width_brings_no_imagenet_names(tmp_path: Path) -> None:
    tensors = dict(zoo.architecture("squeezenet1_1").module.state_dict())
    tensors["classifier.1.weight"] = tensors["classifier.1.weight"][:7].clone()
    tensors["classifier.1.bias"] = tensors["classifier.1.bias"][:7].clone()
    save_file(tensors, tmp_path / "a")
    network = zoo.load("squeezenet1_1", tmp_path / "a")
    assert network.labels == ()
    assert network.require_layer("classifier.1").channels == 7


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        fitted(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def saved(folder: Path, zipped: bool | None) -> bytes:
    path = folder / "whole"
    if zipped is None:
        save_file(state(), path)
    else:
        torch.save(state(), path, _use_new_zipfile_serialization=zipped)
    return path.read_bytes()


@pytest.mark.parametrize("zipped", [None, True, False], ids=["safetensors", "pth", "old pth"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
def test_weights_that_are_cut_short_are_refused(tmp_path: Path, zipped: bool | None, share: float) -> None:
    content = saved(tmp_path, zipped)
    said = refused(tmp_path / "cut", content[: max(12, int(len(content) * share))])
    assert "damaged or cut short" in said or "no weights file" in said


def test_a_header_that_lies_about_its_length_is_refused(tmp_path: Path) -> None:
    for length in (2**63, 2**40, 3):
        assert "damaged" in refused(tmp_path / "a", length.to_bytes(8, "little") + b'{"a": 1}')


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no weights file"),
        (b"short", "is no weights file"),
        (b"<html>not found</html>", "is a web page; download the weights themselves"),
        (b"version https://git-lfs", "is the pointer of Git LFS, not the file itself"),
    ],
)
def test_a_file_that_is_no_weights_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    assert says in refused(tmp_path / "a", content)


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b", "w") as archive:
        archive.writestr("a.txt", "text")
    assert "damaged" in refused(tmp_path / "a", (tmp_path / "b").read_bytes())


def test_weights_that_are_absent_or_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        weights.read_weights(tmp_path / "none")
    with pytest.raises(InputError, match="is a folder; name the file"):
        weights.read_weights(tmp_path)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("form", ["pickle", "pth", "old pth"])
def test_a_file_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path, form: str) -> None:
    path, sprung = tmp_path / "trap", tmp_path / "sprung"
    trap = {**state(), "extra": Trap(sprung)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(trap, protocol=2))
    else:
        torch.save(trap, path, _use_new_zipfile_serialization=form == "pth")
    said = refused(path, path.read_bytes())
    assert not sprung.exists()
    assert form == "pickle" or "holds code" in said


def test_a_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Conv2d(3, 3, 1), tmp_path / "b")
    assert "save its state_dict" in refused(tmp_path / "a", (tmp_path / "b").read_bytes())


@pytest.mark.parametrize("content", [{}, [1, 2], {"epoch": 3}, {"state_dict": {}}, torch.zeros(3)])
def test_a_pytorch_file_without_weights_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "b")
    assert "no state_dict" in refused(tmp_path / "a", (tmp_path / "b").read_bytes())


def test_the_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(6, 3, 3, 3)}, tmp_path / "b")
    said = refused(tmp_path / "a", (tmp_path / "b").read_bytes())
    assert "belong to another network than tiny (its tensor conv1.bias is missing)" in said
    save_file({**state(), "conv2.weight": torch.zeros(8, 6, 5, 5)}, tmp_path / "c")
    said = refused(tmp_path / "a", (tmp_path / "c").read_bytes())
    assert "(its tensor conv2.weight is of another shape)" in said


def test_each_squeezenet_refuses_the_other(tmp_path: Path) -> None:
    save_file(zoo.architecture("squeezenet1_0").module.state_dict(), tmp_path / "a")
    with pytest.raises(InputError, match="another network than squeezenet1_1"):
        zoo.load("squeezenet1_1", tmp_path / "a")
    with pytest.raises(InputError, match="another network than motif"):
        zoo.load("motif", tmp_path / "a")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    tensors = state()
    tensors["conv2.bias"][3] = bad
    save_file(tensors, tmp_path / "b")
    said = refused(tmp_path / "a", (tmp_path / "b").read_bytes())
    assert "conv2.bias holds NaN or infinity" in said


def test_nothing_is_filled_in_when_weights_are_refused(tmp_path: Path) -> None:
    network = tiny_network()
    tensors = state()
    tensors["logits.bias"][0] = float("nan")
    save_file(tensors, tmp_path / "a")
    with pytest.raises(InputError):
        weights.filled(network, weights.read_weights(tmp_path / "a"))
    assert same(network, dict(tiny_network().module.state_dict()))


@pytest.mark.parametrize("shape", [(), (0, 224, 1, 1)])
@pytest.mark.parametrize(
    ("name", "key"), [("motif", "logits.weight"), ("squeezenet1_0", "classifier.1.weight")]
)
def test_a_head_of_an_odd_shape_is_refused(
    tmp_path: Path, name: str, key: str, shape: tuple[int, ...]
) -> None:
    save_file({**zoo.architecture(name).module.state_dict(), key: torch.zeros(shape)}, tmp_path / "a")
    with pytest.raises(InputError):
        zoo.load(name, tmp_path / "a")


@pytest.mark.parametrize("labels", ["no json", "3", "[1, 2]", json.dumps(["owl"] * 41)])
def test_labels_that_are_no_names_are_refused(tmp_path: Path, labels: str) -> None:
    save_file(zoo.architecture("motif").module.state_dict(), tmp_path / "a", {"labels": labels})
    with pytest.raises(InputError):
        zoo.load("motif", tmp_path / "a")


def test_labels_travel_with_the_weights(tmp_path: Path) -> None:
    module = zoo.architecture("motif").module
    names = [f"motif{at}" for at in range(module.logits.out_channels)]
    save_file(module.state_dict(), tmp_path / "a", {"labels": json.dumps(names)})
    assert zoo.load("motif", tmp_path / "a").labels == tuple(names)


def test_importing_the_zoo_builds_nothing() -> None:
    entry = replace(zoo.entry("motif"), module="not_there")
    assert entry.module == "not_there"  # a line of text until it is asked for
    assert all(isinstance(each.module, str) for each in zoo.NETWORKS.values())
