"""TIFFs of every kind of samples, held against the numbers they were written from and against tifffile."""

from __future__ import annotations

import io
import itertools
import struct
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from reverie import files
from reverie.errors import InputError

RNG = np.random.default_rng(11)
SHAPE = (19, 23)
LOSSLESS = (None, "zlib", "lzw", "zstd", "packbits", "lzma")
WHITE = {"u1": 255, "u2": 65_535, "u4": 2**32 - 1, "f2": 1, "f4": 1, "f8": 1}


def samples(kind: str, channels: int) -> np.ndarray[Any, Any]:
    """Random samples [H, W, C] over the whole range of ``kind``, with black and white among them."""
    unit = RNG.random((*SHAPE, channels))
    unit[0, 0], unit[0, 1] = 0, 1
    made: np.ndarray[Any, Any] = (unit * WHITE[kind]).astype(kind)
    return made


def tif(values: np.ndarray[Any, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, metadata=None, **options)
    return out.getvalue()


def shown(photo: files.Photo) -> np.ndarray[Any, Any]:
    """The picture's samples in 0..1 as doubles, [H, W, 3]."""
    white = 1 if photo.pixels.is_floating_point() else torch.iinfo(photo.pixels.dtype).max
    return photo.pixels[0].permute(1, 2, 0).numpy().astype(np.float64) / white


def near(photo: files.Photo, wanted: np.ndarray[Any, Any], kind: str) -> None:
    np.testing.assert_allclose(shown(photo), np.broadcast_to(wanted, (*SHAPE, 3)), atol=1e-6)
    depths = {"u1": torch.uint8, "u2": torch.uint16}
    assert photo.pixels.dtype == depths.get(kind, torch.float32)
    assert photo.notes == ()


def options() -> list[tuple[Any, ...]]:
    every = itertools.product(WHITE, LOSSLESS, "<>", (False, True), ("gray", "white", "rgb", "planes"))
    found = []
    for kind, compression, order, predicted, color in every:
        if predicted and (compression in (None, "packbits") or kind == "f8"):
            continue
        found.append((kind, compression, order, predicted, color))
    return found


def test_every_kind_of_samples_means_what_it_was_written_from() -> None:
    for kind, compression, order, predicted, color in options():
        values = samples(kind, 1 if color in ("gray", "white") else 3)
        said: dict[str, Any] = {"compression": compression, "byteorder": order, "rowsperstrip": 7}
        if predicted:
            said["predictor"] = 3 if kind.startswith("f") else 2
        stored, said["photometric"] = values, "rgb"
        if color in ("gray", "white"):
            stored, said["photometric"] = values[..., 0], "minisblack"
        if color == "white":
            stored, said["photometric"] = WHITE[kind] - stored, "miniswhite"
            stored = stored.astype(kind)
        if color == "planes":
            stored, said["planarconfig"] = np.moveaxis(values, 2, 0), "separate"
        file = tif(stored, **said)
        assert (tifffile.imread(io.BytesIO(file)) == stored).all()
        wanted = values / WHITE[kind]
        if color == "white" and kind.startswith("f"):
            wanted = 1 - stored[..., None].astype(np.float64)
        photo = files.load(file)
        near(photo, wanted.astype(np.float64), kind)


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14, 24])
def test_odd_depths_reach_white(bits: int) -> None:
    values = RNG.integers(0, 2**bits, SHAPE).astype(
        np.uint8 if bits < 8 else np.uint16 if bits < 16 else np.uint32
    )
    values[0, :2] = 0, 2**bits - 1
    import imagecodecs

    packed = imagecodecs.packints_encode(values, bits, runlen=SHAPE[1])
    photo = files.load(handmade(packed, bits))
    np.testing.assert_allclose(shown(photo)[..., 0], values / (2**bits - 1), atol=1e-6)


def handmade(
    data: bytes, bits: int, width: int = SHAPE[1], height: int = SHAPE[0], samples: int = 1
) -> bytes:
    """A little-endian TIFF of one strip, with nothing but what must be there."""
    entries = [(256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, 1)]
    at = 8 + 2 + 12 * 9 + 4
    entries += [(273, 4, at), (277, 3, samples), (278, 4, height), (279, 4, len(data))]
    ifd = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + ifd + bytes(4) + data


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "f2", "f4"])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("premultiplied", [False, True])
def test_alpha_of_both_kinds(kind: str, compression: str | None, channels: int, premultiplied: bool) -> None:
    white = WHITE[kind]
    color, alpha = samples(kind, channels) / white, np.full((*SHAPE, 1), 0.5)
    alpha[:, 12:] = 1
    stored = np.dstack([color * alpha if premultiplied else color, alpha]) * white
    stored = (np.rint(stored) if kind.startswith("u") else stored).astype(kind)
    said = {"compression": compression, "photometric": "rgb" if channels == 3 else "minisblack"}
    said["extrasamples"] = ["assocalpha" if premultiplied else "unassalpha"]
    photo = files.load(tif(stored, **said))
    step = 2.5 / 255 if kind == "u1" else 2e-3 if kind == "f2" else 1e-4
    np.testing.assert_allclose(shown(photo), np.broadcast_to(color, (*SHAPE, 3)), atol=step)
    assert photo.alpha is not None and photo.alpha.dtype == photo.pixels.dtype
    opacity = photo.alpha[0, 0].numpy().astype(float)
    np.testing.assert_allclose(opacity / opacity.max(), alpha[..., 0], atol=3e-3)


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_at_sixteen_bits(turn: int) -> None:
    values = samples("u2", 3)
    file = tif(values, photometric="rgb", compression="lzw", extratags=[(274, 3, 1, turn, True)])
    wanted = values.transpose(1, 0, 2) if turn > 4 else values
    wanted = wanted[::-1] if turn in (3, 4, 7, 8) else wanted
    wanted = wanted[:, ::-1] if turn in (2, 3, 6, 7) else wanted
    assert (files.load(file).pixels[0].permute(1, 2, 0).numpy() == wanted).all()


def test_inks_palettes_and_jpeg_inside() -> None:
    inks = np.zeros((*SHAPE, 4), np.uint8)
    inks[..., 1:3] = 255
    photo = files.load(tif(inks, photometric="separated", compression="lzw"))
    assert (photo.pixels[0, 0] == 255).all() and (photo.pixels[0, 1:] < 40).all()
    table = RNG.integers(0, 256, (3, 256), np.uint16) * 257
    index = RNG.integers(0, 256, SHAPE, np.uint8)
    photo = files.load(tif(index, photometric="palette", colormap=table, compression="zstd"))
    assert (photo.pixels[0].permute(1, 2, 0).numpy() == (table // 257).T[index]).all()
    flat = np.full((64, 64, 3), (200, 90, 30), np.uint8)
    photo = files.load(tif(flat, photometric="rgb", compression="jpeg", compressionargs={"level": 98}))
    assert np.abs(photo.pixels[0].permute(1, 2, 0).numpy().astype(int) - flat).max() <= 3


def test_what_is_broken_or_too_large_is_said_before_the_work() -> None:
    whole = tif(samples("u2", 3), photometric="rgb", compression="lzw")
    for broken in (whole[: len(whole) // 2], whole[:60], b"II*\0" + bytes(30)):
        with pytest.raises(InputError, match="damaged or cut short"):
            files.load(broken)
    for width, height in ((0, 5), (5, 0), (0, 0)):
        with pytest.raises(InputError, match=r"pixels; give one that has some|damaged"):
            files.load(handmade(b"1234", 16, width, height))
    with pytest.raises(InputError, match="has 600 samples a pixel"):
        files.load(handmade(bytes(600 * 4), 8, 2, 2, 600))
    with pytest.raises(InputError, match="has more than 300,000,000 pixels"):
        files.load(handmade(bytes(10), 16, 60_000, 60_000))
    with pytest.raises(InputError, match="side of 250,000 pixels"):
        files.load(handmade(bytes(10), 16, 250_000, 1))


def test_numbers_that_leave_the_range_are_stretched_and_said() -> None:
    values = samples("f4", 3) * 4 - 1
    values[3, 3, 0] = np.nan
    photo = files.load(tif(values, photometric="rgb", compression="zlib", predictor=3))
    good = np.nan_to_num(values.astype(np.float64))
    np.testing.assert_allclose(shown(photo), (good + 1) / 4, atol=1e-6)
    assert any("not finite" in note for note in photo.notes) and any(
        "stretched" in note for note in photo.notes
    )


def test_a_hundred_thousand_pages_are_not_counted() -> None:
    one = (
        struct.pack("<HHII", 256, 4, 1, 2)
        + struct.pack("<HHII", 257, 4, 1, 2)
        + struct.pack("<HHII", 258, 3, 1, 16)
    )
    one += (
        struct.pack("<HHII", 259, 3, 1, 1)
        + struct.pack("<HHII", 262, 3, 1, 1)
        + struct.pack("<HHII", 273, 4, 1, 8)
    )
    one += (
        struct.pack("<HHII", 277, 3, 1, 1)
        + struct.pack("<HHII", 278, 4, 1, 2)
        + struct.pack("<HHII", 279, 4, 1, 8)
    )
    size, count = 2 + len(one) + 4, 100_000
    pages = [
        struct.pack("<H", 9) + one + struct.pack("<I", 16 + size * (at + 1) if at + 1 < count else 0)
        for at in range(count)
    ]
    file = b"II*\0" + struct.pack("<I", 16) + bytes(8) + b"".join(pages)
    start = time.process_time()
    photo = files.load(file)
    assert time.process_time() - start < 5  # counting them took more than a minute
    assert any("more than one frame" in note for note in photo.notes)


MEMORY = """
import resource, sys
from reverie import files
import tifffile, imagecodecs
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
files.load(sys.argv[1])
print(peak() - before)
"""


def test_memory_of_floats(tmp_path) -> None:
    side = 1500
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((side, side, 3), np.float32), photometric="rgb", compression="lzw"
    )
    said = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "a.tif")], capture_output=True, text=True, check=True
    ).stdout
    assert float(said) * 2**20 < 30 * side**2 + 60 * 2**20


def test_libtiff_says_nothing_of_its_own(tmp_path) -> None:
    whole = tif(samples("u1", 3), photometric="rgb", compression="lzw", rowsperstrip=5)
    (tmp_path / "a.tif").write_bytes(whole[:-40] + bytes(40))
    code = "import sys; from reverie import files\ntry: files.load(sys.argv[1])\nexcept files.reading.InputError: pass"
    command = [sys.executable, "-c", code, str(tmp_path / "a.tif")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
