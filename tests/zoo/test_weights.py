"""Weights as others published them, and as we keep them: formats, keys, normalization, labels."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from reverie import zoo
from reverie.errors import InputError
from reverie.network import Network
from reverie.zoo import fetch, weights
from reverie.zoo.catalog import label_places, published
from reverie.zoo.unwrapping import unwrapped
from tests.oracle.networks import tiny_network

NAME = "squeezenet1_1"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def random(name: str) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in zoo.architecture(name).module.state_dict().items()}


def holds(network: Network, tensors: dict[str, Tensor]) -> bool:
    own = network.module.state_dict()
    return all(torch.equal(own[key], tensors[key]) for key in own)


def as_python_2(pickled: bytes) -> bytes:
    """Text becomes what Python 2 wrote: byte strings (U and a length), the first one with a byte beyond ASCII."""
    out, at = bytearray(), 0
    while at < len(pickled):
        length = pickled[at + 1] if at + 1 < len(pickled) else 0
        text = pickled[at + 5 : at + 5 + length]
        if pickled[at : at + 1] == b"X" and pickled[at + 2 : at + 5] == b"\0\0\0" and text.isascii() and text:
            out += b"U" + bytes([length]) + text
            at += 5 + length
        else:
            out.append(pickled[at])
            at += 1
    return bytes(out).replace(b"resnet", b"r\xe9snet")


def test_a_checkpoint_of_python_2_and_its_wrapped_keys_are_read(tmp_path: Path) -> None:
    tensors = tiny_network(seed=3).module.state_dict()
    wrapped = {f"module.{key}": value for key, value in tensors.items()}
    buffer = io.BytesIO()
    checkpoint = {"epoch": 90, "arch": "resnet", "state_dict": wrapped, "best_prec1": 54.7}
    torch.save(checkpoint, buffer, _use_new_zipfile_serialization=False)
    content = as_python_2(buffer.getvalue())
    assert b"r\xe9snet" in content and b"X\x05\0\0\0" not in content
    (tmp_path / "a.pth.tar").write_bytes(content)
    state = unwrapped(weights.read_weights(tmp_path / "a.pth.tar"), tiny_network)
    assert holds(weights.filled(tiny_network(), state), dict(tensors))


def test_a_module_wrapped_in_the_middle_is_found(tmp_path: Path) -> None:
    tensors = random("squeezenet1_0")
    wrapped = {key.replace("features.", "features.module."): value for key, value in tensors.items()}
    torch.save({"state_dict": wrapped}, tmp_path / "a")
    assert holds(zoo.load("squeezenet1_0", tmp_path / "a"), tensors)


def test_batches_need_not_have_been_counted(tmp_path: Path) -> None:
    tensors = random("resnet18@places365")
    kept = {key: value for key, value in tensors.items() if "num_batches" not in key}
    assert len(kept) < len(tensors)
    torch.save({"state_dict": {f"module.{key}": value for key, value in kept.items()}}, tmp_path / "a")
    network = zoo.load("resnet18@places365", tmp_path / "a")
    assert holds(network, tensors)
    assert network.name == "resnet18@places365"
    assert network.labels == label_places("places365")
    assert network.require_class("zen garden") == 364
    with pytest.raises(InputError, match=r"tell 365 classes apart, not the 1000 of resnet18; they may be .*@places365"):
        zoo.import_weights("resnet18", tmp_path / "a")
    assert zoo.load("resnet18", tmp_path / "a").labels == ()  # nobody said what they are


def test_a_converted_file_says_of_itself_what_it_is(tmp_path: Path, cache: Path) -> None:
    tensors = random(NAME)
    torch.save(tensors, tmp_path / "a")
    known = zoo.import_weights(NAME, tmp_path / "a")
    kept = cache / f"{NAME}.safetensors"
    assert known.source == fetch._digest(tmp_path / "a")
    assert load_file(kept).keys() == tensors.keys()
    for network in (zoo.load(NAME), zoo.load(NAME, kept)):
        assert holds(network, tensors)
        assert network.synsets[55] == "n01729977"
    assert zoo.load(NAME).sha256 == known.source  # a Record speaks of what was published
    again = tmp_path / "b"
    weights.save_weights(again, zoo.load(NAME), {"labels": "imagenet"})
    assert again.read_bytes() == kept.read_bytes()


def test_a_converted_file_that_was_damaged_is_refused_by_name(tmp_path: Path, cache: Path) -> None:
    torch.save(random(NAME), tmp_path / "a")
    zoo.import_weights(NAME, tmp_path / "a")
    kept = cache / f"{NAME}.safetensors"
    content = bytearray(kept.read_bytes())
    for at in (-1, 3):  # a weight, and the length of the header
        content[at] ^= 1
        kept.write_bytes(content)
        with pytest.raises(InputError, match=f"in the cache are damaged; 'reverie weights fetch {NAME}' brings"):
            zoo.load(NAME)


@pytest.mark.parametrize("told", ["3", "{", "{}", '{"mean": 1, "std": [1], "labels": "x"}', '{"mean": [1, 1, 1]}'])
def test_a_file_that_tells_nonsense_of_itself_is_refused(tmp_path: Path, told: str) -> None:
    save_file(random(NAME), tmp_path / "a", {weights.ABOUT: told})
    with pytest.raises(InputError, match="says of itself is damaged"):
        zoo.load(NAME, tmp_path / "a")


def test_a_file_cannot_claim_more_labels_than_it_has_classes(tmp_path: Path) -> None:
    told = json.dumps({"mean": [0.1, 0.2, 0.3], "std": [1, 1, 1], "labels": "places365"})
    save_file(random(NAME), tmp_path / "a", {weights.ABOUT: told})
    network = zoo.load(NAME, tmp_path / "a")
    assert len(network.labels) == 1000
    assert network.mean == (0.1, 0.2, 0.3)


@pytest.mark.parametrize("name", ["vgg16@places365", "googlenet-bvlc@places205", "alexnet@places365"])
def test_what_the_table_says_of_other_weights_holds_without_a_file(name: str) -> None:
    entry = published(name)
    with torch.device("meta"):
        network = zoo.architecture(name)
    assert (network.name, network.labels) == (name, label_places(entry.labels))
    if entry.mean is None:
        assert network.mean == (0.485, 0.456, 0.406)
    else:
        assert network.mean == pytest.approx([value / 255 for value in entry.mean])
        assert network.std == (1 / 255,) * 3


def test_real_squeezenet_weights_classify_through_the_cache(shared: Path) -> None:
    file = shared / "weights" / "squeezenet1_0-imagenet-fp16.safetensors"
    zoo.import_weights("squeezenet1_0", file)
    network = zoo.load("squeezenet1_0", offline=True)
    assert holds(network, dict(zoo.load("squeezenet1_0", file).module.state_dict()))
    seen = {}
    for name in ("cat.jpg", "flowers.jpg"):
        with Image.open(shared / "images" / name) as picture:
            small = np.array(picture.convert("RGB").resize((227, 227)))
        pixels = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
        logits = network.capture(pixels, [network.logits])[network.logits].mean((2, 3))[0]
        seen[name] = set(logits.topk(6).indices.tolist())
    assert {network.require_class(each) for each in ("red fox", "n02123045")} <= seen["cat.jpg"]  # n..: tabby
    assert {network.require_class(each) for each in ("daisy", "ladybug", "bee")} <= seen["flowers.jpg"]
