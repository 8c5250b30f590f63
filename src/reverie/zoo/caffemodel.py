"""Caffe's ``.caffemodel``: a protobuf message with the blobs of every layer, BGR in the first of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reverie.errors import InputError
from reverie.network import Network

INNER_PRODUCT = (b"InnerProduct", 14)  # the type in today's messages, and its number in the old ones

# The few fields we need of caffe.proto (BSD-2-Clause, BVLC): message -> (field, number, kind, repeated).
# Packed floats are declared as bytes, which is the same on the wire and spares a Python object each, and
# so are strings, which in a damaged file need not be text.
_FIELDS: dict[str, list[tuple[str, int, str, bool]]] = {
    "BlobShape": [("dim", 1, "int64", True)],
    "BlobProto": [
        ("num", 1, "int32", False),
        ("channels", 2, "int32", False),
        ("height", 3, "int32", False),
        ("width", 4, "int32", False),
        ("data", 5, "bytes", True),
        ("shape", 7, "BlobShape", False),
        ("double_data", 8, "bytes", True),
    ],
    "LayerParameter": [
        ("name", 1, "bytes", False),
        ("type", 2, "bytes", False),
        ("blobs", 7, "BlobProto", True),
    ],
    "V1LayerParameter": [
        ("name", 4, "bytes", False),
        ("type", 5, "int32", False),
        ("blobs", 6, "BlobProto", True),
    ],
    "NetParameter": [
        ("name", 1, "bytes", False),
        ("layers", 2, "V1LayerParameter", True),
        ("layer", 100, "LayerParameter", True),
    ],
}


@cache
def message(name: str = "NetParameter") -> Any:
    """The protobuf class of that name, described here instead of in generated code."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="reverie_caffe.proto", package="caffe", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for owner, fields in _FIELDS.items():
        made = file.message_type.add(name=owner)
        for field, number, kind, repeated in fields:
            added = made.field.add(
                name=field,
                number=number,
                label=kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL,
            )
            if kind in _FIELDS:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".caffe.{kind}"
            else:
                added.type = getattr(kinds, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))


def plausible(content: bytes) -> bool:
    """Whether the first byte is that of a NetParameter: its name, or its first layer."""
    return content[:1] in (b"\x0a", b"\x12") or content[:2] == b"\xa2\x06"


def read_caffemodel(path: Path, content: bytes) -> dict[str, Tensor]:
    """The blobs by ``layer.weight`` and ``layer.bias``, dots for the slashes in Caffe's names.

    Raises :class:`InputError` for what is no Caffe model, or not a whole one.
    """
    from google.protobuf.message import DecodeError

    net = message()()
    try:
        net.ParseFromString(content)
    except DecodeError:
        raise InputError(
            f"{path} is no weights file, or a Caffe model that is damaged or cut short; fetch it again."
        ) from None
    found: dict[str, Tensor] = {}
    for layer in (*net.layer, *net.layers):
        flat = layer.type in INNER_PRODUCT
        name = layer.name.decode("utf-8", "replace").replace("/", ".")
        for at, blob in enumerate(layer.blobs):
            key = f"{name}.{('weight', 'bias')[at] if at < 2 else at}"
            found.setdefault(key, _tensor(path, key, blob, flat=flat and at == 0, vector=at == 1))
    if not found:
        raise InputError(f"{path} is no weights file; give one in safetensors, PyTorch or Caffe format.")
    return found


def _tensor(path: Path, key: str, blob: Any, *, flat: bool, vector: bool) -> Tensor:
    data, kind = (blob.data, "<f4") if blob.data else (blob.double_data, "<f8")
    raw = b"".join(data)
    shape = (
        list(blob.shape.dim)
        if blob.HasField("shape")
        else [blob.num, blob.channels, blob.height, blob.width]  # as it was until 2014
    )
    size = np.dtype(kind).itemsize
    if any(side < 0 for side in shape) or math.prod(shape) * size != len(raw):
        raise InputError(f"The Caffe model {path} is damaged: {key} holds other than its {shape} numbers.")
    tensor = torch.from_numpy(np.frombuffer(raw, kind).astype(np.float32)).reshape(shape)
    if vector:
        return tensor.flatten()
    return tensor.reshape(tensor.shape[-2:]) if flat and tensor.ndim > 2 else tensor


def rename_caffe_tensors(tensors: Mapping[str, Tensor], network: Network) -> tuple[dict[str, Tensor], bool]:
    """Caffe's tensors under the keys of ``network``, and whether their channels had to be turned to RGB.

    A layer is found by its path, else by its alias; the last one that neither fits is the head, which
    Places calls fc8a. A network whose paths are Caffe's own takes BGR itself and gets the blobs as they are.
    """
    paths = {name for name, _ in network.module.named_modules()}
    layers = list(dict.fromkeys(key.rpartition(".")[0] for key in tensors))
    homes = {}
    for layer in layers:
        home = layer if layer in paths else network.aliases.get(layer.replace(".", "/"))
        if home is not None:
            homes[layer] = home
    if network.logits not in homes.values() and layers[-1] not in homes:
        homes[layers[-1]] = network.logits
    turned = bool(homes) and not any(layer == home for layer, home in homes.items() if home != network.logits)
    made = {}
    for key, value in tensors.items():
        layer, _, kind = key.rpartition(".")
        if layer not in homes:
            continue  # a head that only training needed
        if turned and value.ndim == 4 and value.shape[1] == 3:
            value = value.flip(1)
        made[f"{homes[layer]}.{kind}"] = value
    return made, turned
