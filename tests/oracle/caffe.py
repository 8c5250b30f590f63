"""A writer of ``.caffemodel`` files, byte by byte after protobuf's wire format, without its library."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

Layer = tuple[str, str, Sequence[np.ndarray]]  # name, "Convolution" or "InnerProduct", blobs
V1_TYPES = {"Convolution": 4, "InnerProduct": 14}


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def piece(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def whole(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def blob(array: np.ndarray, old: bool = False, double: bool = False, chunks: int = 1) -> bytes:
    """A BlobProto: a shape, or the four sides of the old form; packed floats in ``chunks`` pieces."""
    if old:
        sides = (1,) * (4 - array.ndim) + array.shape
        head = b"".join(whole(at, side) for at, side in enumerate(sides, 1))
    else:
        head = piece(7, piece(1, b"".join(varint(side) for side in array.shape)))
    parts = np.array_split(array.astype("<f8" if double else "<f4").ravel(), chunks)
    return head + b"".join(piece(8 if double else 5, part.tobytes()) for part in parts)


def caffemodel(layers: Sequence[Layer], *, old: bool = False, double: bool = False, chunks: int = 1) -> bytes:
    """A NetParameter: today's ``layer`` (field 100), or the ``layers`` (field 2) of before 2015."""
    out = piece(1, b"net")
    for name, kind, arrays in layers:
        blobs = [blob(array, old, double, chunks) for array in arrays]
        if old:
            made = b"".join(piece(6, each) for each in blobs) + piece(4, name.encode()) + whole(5, V1_TYPES[kind])
            made += varint(7 << 3 | 5) + struct.pack("<f", 1.0)  # blobs_lr, which no reader needs
            out += piece(2, made)
        else:
            made = piece(1, name.encode()) + piece(2, kind.encode()) + piece(3, b"data")
            out += piece(100, made + b"".join(piece(7, each) for each in blobs))
    return out
