"""Caffe models: read from bytes that our own writer makes by hand, put into networks, refused when broken."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from reverie import zoo
from reverie.errors import InputError
from reverie.network import Network
from reverie.zoo import caffemodel, weights
from tests.oracle import caffe
from tests.oracle.networks import noise

DRAW = np.random.default_rng(0)


def drawn(*shape: int) -> np.ndarray:
    return DRAW.normal(0, 0.1, shape).astype(np.float32)


CONV, BIAS, DENSE = drawn(4, 3, 2, 2), drawn(4), drawn(5, 16)
LAYERS: list[caffe.Layer] = [
    ("conv1/3x3", "Convolution", [CONV, BIAS]),
    ("loss1/classifier", "InnerProduct", [drawn(2, 4), drawn(2)]),
    ("pool", "Convolution", []),
    ("fc8a", "InnerProduct", [DENSE, drawn(5)]),
]
PATH = Path("some.caffemodel")


@pytest.mark.parametrize("old", [False, True], ids=["layer", "layers"])
@pytest.mark.parametrize(("double", "chunks"), [(False, 1), (True, 1), (False, 3)])
def test_what_was_written_is_read(old: bool, double: bool, chunks: int) -> None:
    found = caffemodel.read_caffemodel(PATH, caffe.caffemodel(LAYERS, old=old, double=double, chunks=chunks))
    assert {key: tuple(value.shape) for key, value in found.items()} == {
        "conv1.3x3.weight": (4, 3, 2, 2),
        "conv1.3x3.bias": (4,),
        "loss1.classifier.weight": (2, 4),
        "loss1.classifier.bias": (2,),
        "fc8a.weight": (5, 16),
        "fc8a.bias": (5,),
    }
    np.testing.assert_array_equal(found["conv1.3x3.weight"].numpy(), CONV)
    np.testing.assert_array_equal(found["conv1.3x3.bias"].numpy(), BIAS)
    np.testing.assert_array_equal(found["fc8a.weight"].numpy(), DENSE)


def vgg_like() -> Network:
    module = nn.Sequential()
    module.features = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.ReLU())
    module.classifier = nn.Sequential(nn.Flatten(), nn.Linear(16, 5))
    aliases = {"conv1/3x3": "features.0"}
    return Network("like", module, (0, 0, 0), (1, 1, 1), logits="classifier.1", aliases=aliases, smallest=4)


def test_a_network_that_takes_rgb_sees_what_caffe_saw_in_bgr() -> None:
    tensors = caffemodel.read_caffemodel(PATH, caffe.caffemodel(LAYERS))
    made, turned = caffemodel.rename_caffe_tensors(tensors, vgg_like())
    assert turned
    assert set(made) == {"features.0.weight", "features.0.bias", "classifier.1.weight", "classifier.1.bias"}
    rgb = noise(1, 3, 4, 4) * 255 - torch.tensor([123.0, 117, 104]).view(1, 3, 1, 1)
    as_caffe = nn.functional.conv2d(rgb.flip(1), torch.from_numpy(CONV), torch.from_numpy(BIAS), stride=2)
    ours = nn.functional.conv2d(rgb, made["features.0.weight"], made["features.0.bias"], stride=2)
    torch.testing.assert_close(ours, as_caffe)


def test_every_layer_of_places_vgg16_finds_its_home() -> None:
    with torch.device("meta"):
        network = zoo.architecture("vgg16")
    own = network.module.state_dict()
    convs = [f"conv{block}_{at}" for block, depth in enumerate((2, 2, 3, 3, 3), 1) for at in range(1, depth + 1)]
    keys = [f"{layer}.{kind}" for layer in (*convs, "fc6", "fc7", "fc8a") for kind in ("weight", "bias")]
    made, turned = caffemodel.rename_caffe_tensors(dict(zip(keys, own.values(), strict=True)), network)
    assert turned
    assert {key: value.shape for key, value in made.items()} == {key: value.shape for key, value in own.items()}


def googlenet(count: int) -> tuple[list[caffe.Layer], dict[str, torch.Tensor]]:
    """Made-up weights of bvlc_googlenet's shapes, under Caffe's names, and as torch wants them."""
    name = {1000: "googlenet-bvlc", 365: "googlenet-bvlc@places365", 205: "googlenet-bvlc@places205"}[count]
    state = zoo.architecture(name).module.state_dict()
    layers: list[caffe.Layer] = []
    for path in dict.fromkeys(key.rpartition(".")[0] for key in state):
        blobs = [state[f"{path}.{kind}"].numpy() for kind in ("weight", "bias")]
        layers.append((path.replace(".", "/"), "Convolution" if blobs[0].ndim == 4 else "InnerProduct", blobs))
    layers.insert(-1, ("loss1/classifier", "InnerProduct", [drawn(9, 3), drawn(9)]))
    return layers, state


@pytest.mark.parametrize("count", [1000, 365, 205])
def test_a_googlenet_in_caffe_format_is_told_by_content(tmp_path: Path, count: int) -> None:
    layers, state = googlenet(count)
    content = caffe.caffemodel(layers, old=True)
    (tmp_path / "a.pth").write_bytes(content)  # its name lies
    name = "googlenet-bvlc" if count == 1000 else f"googlenet-bvlc@places{count}"
    network = zoo.load(name, tmp_path / "a.pth")
    own = network.module.state_dict()
    assert all(torch.equal(own[key], state[key]) for key in own)
    assert len(network.labels) == count
    assert network.std == (1 / 255,) * 3
    if count == 365:
        assert network.mean == pytest.approx((116.676 / 255, 112.514 / 255, 104.051 / 255))
        assert network.labels[network.require_class("church/indoor")] == "church/indoor"
        with pytest.raises(InputError, match=r"tell 365 classes apart, not the 205 of .*places365"):
            zoo.load("googlenet-bvlc@places205", tmp_path / "a.pth")
    if count == 205:  # Places publishes this one in an archive
        with tarfile.open(tmp_path / "b", "w:gz") as archive:
            for inside, data in (("../../readme", b"text"), ("x/net.caffemodel", content)):
                info = tarfile.TarInfo(inside)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        unpacked = zoo.load(name, tmp_path / "b").module.state_dict()
        assert all(torch.equal(unpacked[key], own[key]) for key in own)
        assert {each.name for each in tmp_path.iterdir()} == {"a.pth", "b"}
        (tmp_path / "c").write_bytes((tmp_path / "b").read_bytes()[:-5000])
        with pytest.raises(InputError, match="damaged or cut short"):
            zoo.load(name, tmp_path / "c")


def test_an_archive_without_one_model_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a", "w") as archive:
        for inside in ("a.caffemodel", "b.caffemodel"):
            archive.addfile(tarfile.TarInfo(inside))
    with pytest.raises(InputError, match="has 2 Caffe models in it, not one"):
        weights.read_weights(tmp_path / "a")
    (tmp_path / "b").write_bytes(gzip.compress(b"no archive"))
    with pytest.raises(InputError, match="is no weights file"):
        weights.read_weights(tmp_path / "b")


def test_the_caffe_model_of_another_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(caffe.caffemodel(LAYERS))
    for name in ("googlenet-bvlc", "squeezenet1_0"):
        with pytest.raises(InputError, match=f"belong to another network than {name}"):
            zoo.load(name, tmp_path / "a")


@pytest.mark.parametrize("content", [b"\n\n\nsome text", b"\n", b"\x12\x00", caffe.piece(1, b"net")])
def test_what_only_looks_like_a_caffe_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match="is no weights file"):
        weights.read_weights(tmp_path / "a")


def test_a_blob_that_does_not_fill_its_shape_is_refused() -> None:
    content = caffe.caffemodel(LAYERS)
    lying = content.replace(b"\x04\x03\x02\x02", b"\x05\x03\x02\x02")
    assert lying != content
    with pytest.raises(InputError, match=r"damaged: conv1\.3x3\.weight"):
        caffemodel.read_caffemodel(PATH, lying)


@given(st.data())
def test_a_damaged_model_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    content = bytearray(caffe.caffemodel(LAYERS, old=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for damaged in (content, content[:cut]):
        try:
            found = caffemodel.read_caffemodel(PATH, bytes(damaged))
        except InputError:
            continue
        caffemodel.rename_caffe_tensors(found, vgg_like())
