"""Deep and large pictures: 16 bits in and out, through other people's encoders and decoders, in little memory."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

import reverie
from reverie import api, files
from reverie.errors import InputError, OutputError, UsageError
from reverie.files import png
from reverie.jobs import sources
from reverie.pixels import ops

cv2 = pytest.importorskip("cv2")  # reads and writes 16 bits by libpng and libtiff, without Pillow
RNG = np.random.default_rng(3)
DEEP = RNG.integers(0, 65536, (37, 23, 4), np.uint16)
UNIT = torch.from_numpy(DEEP / 65535).permute(2, 0, 1)[None].float()
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def decoded(path: Path) -> np.ndarray:
    """The samples as OpenCV sees them, in the order RGB."""
    seen = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return seen[..., [2, 1, 0, 3][: seen.shape[2]]]


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])  # OpenCV writes LZW with a predictor
def test_sixteen_bits_of_other_encoders_are_kept(tmp_path, suffix, channels):
    order = [2, 1, 0, 3][:channels]
    solid = DEEP.copy()
    solid[..., 3] |= 1
    cv2.imwrite(str(tmp_path / f"a{suffix}"), np.ascontiguousarray(solid[..., order]))
    photo = files.load(tmp_path / f"a{suffix}")
    assert photo.pixels.dtype == torch.uint16
    assert (photo.pixels[0].permute(1, 2, 0).numpy() == solid[..., :3]).all()
    if channels == 4:
        assert (photo.alpha[0, 0].numpy() == solid[..., 3]).all()


def test_sixteen_bit_gray_with_alpha_is_kept(tmp_path):
    """No encoder at hand writes it: a picture whose rows are not filtered, made by hand."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in DEEP[..., 2:])
    out = io.BytesIO(png.SIGNATURE)
    out.seek(0, io.SEEK_END)
    png._chunk(out, b"IHDR", struct.pack(">2I5B", 23, 37, 16, 4, 0, 0, 0))
    png._chunk(out, b"IDAT", zlib.compress(rows))
    png._chunk(out, b"IEND", b"")
    photo = files.load(out.getvalue())
    assert (photo.alpha[0, 0].numpy() == DEEP[..., 3]).all()
    for plane in photo.pixels[0]:
        shown = DEEP[..., 3] > 0
        assert (plane.numpy()[shown] == DEEP[..., 2][shown]).all()


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_what_is_written_is_what_others_read(tmp_path, suffix, depth, channels):
    alpha = UNIT[:, 3:] if channels == 4 else None
    path = files.save(tmp_path / f"a{suffix}", UNIT[:, :3], alpha=alpha, text="ä{", profile=SRGB, depth=depth)
    wanted = DEEP[..., :channels] if depth == 16 else np.rint(DEEP[..., :channels] / 257)
    # OpenCV multiplies color by alpha where a TIFF has 8 bits; Pillow does not.
    seen = np.asarray(Image.open(path)) if (suffix, depth, channels) == (".tif", 8, 4) else decoded(path)
    assert seen.dtype == (np.uint16 if depth == 16 else np.uint8) and (seen == wanted).all()
    assert files.read_text(path) == "ä{"
    with Image.open(path) as picture:
        picture.load()
        assert picture.info["icc_profile"] == SRGB
    again = files.load(path)
    assert again.profile == SRGB and again.pixels.dtype == (torch.uint16 if depth == 16 else torch.uint8)
    if suffix == ".tif":
        assert (tifffile.imread(path) == wanted).all()


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([8, 16]), st.sampled_from([3, 4]), st.integers(0))
def test_png_of_any_size_is_read_by_others(height, width, depth, channels, seed):
    dice = np.random.default_rng(seed)
    smooth = dice.integers(0, 2**depth, (1, 1, channels)) + np.indices((height, width)).sum(0)[..., None]
    array = (smooth + dice.integers(0, 3, smooth.shape)).astype(np.uint8 if depth == 8 else np.uint16)
    rows = iter([array[at : at + 2] for at in range(0, height, 2)])
    png.write_png(out := io.BytesIO(), rows, (height, width), None, None)
    seen = cv2.imdecode(np.frombuffer(out.getvalue(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert (seen[..., [2, 1, 0, 3][:channels]] == array).all()
    with Image.open(io.BytesIO(out.getvalue())) as picture:
        assert (np.asarray(picture) == (array if depth == 8 else array >> 8)).all()


def test_png_is_about_as_small_as_pillows():
    y, x = np.mgrid[0:300, 0:400] / 60
    array = (127 + 60 * np.sin(x) + 60 * np.cos(y + x) + RNG.normal(0, 2, y.shape)).astype(np.uint8)
    array = np.dstack([array, array[::-1], array[:, ::-1]])
    png.write_png(ours := io.BytesIO(), iter([array]), array.shape[:2], None, None)
    Image.fromarray(array).save(theirs := io.BytesIO(), "PNG")
    assert len(ours.getvalue()) < 1.03 * len(theirs.getvalue())


def test_strips_make_no_seam(tmp_path, monkeypatch):
    whole = [files.save(tmp_path / f"whole{suffix}", UNIT[:, :3]) for suffix in (".png", ".jpg", ".webp")]
    monkeypatch.setattr(files.writing, "_STRIP", 70)
    monkeypatch.setattr(files.decoding, "ROWS", 3)
    for path in whole:
        again = files.save(path.with_stem("strips"), UNIT[:, :3])
        assert (decoded(again) == decoded(path)).all()
        assert torch.equal(files.load(again).pixels, files.load(path).pixels)


def test_a_file_of_bytes_is_read_like_a_file(tmp_path):
    path = files.save(tmp_path / "a.png", UNIT[:, :3], text="told")
    photo, named = files.load(path.read_bytes()), files.load(path)
    assert torch.equal(photo.pixels, named.pixels) and photo.sha256 == named.sha256 and photo.name == ""
    assert files.read_text(path.read_bytes()) == "told"
    with pytest.raises(InputError, match=r"^The picture is no picture"):
        files.load(b"nonsense")


def test_sixteen_bits_are_refused_where_they_cannot_be(tmp_path):
    for suffix in (".jpg", ".webp"):
        with pytest.raises(OutputError, match="depth=16"):
            files.save(tmp_path / f"a{suffix}", UNIT[:, :3], depth=16)
        with pytest.raises(OutputError, match="depth=16"):
            files.write(io.BytesIO(), UNIT[:, :3], suffix, depth=16)
    with pytest.raises(OutputError, match="suffix"):
        files.write(io.BytesIO(), UNIT[:, :3], ".gif")
    with pytest.raises(OutputError, match="16383"):
        files.write(io.BytesIO(), torch.zeros(3, 1, 16_384), ".webp")
    assert list(tmp_path.iterdir()) == []


def test_a_dream_in_sixteen_bits_is_replayed_in_sixteen(tmp_path):
    files.save(tmp_path / "source.png", UNIT[:, :3], alpha=UNIT[:, 3:], depth=16)
    quick = {"steps": 1, "octaves": 1, "precision": "fp32"}
    first = reverie.dream(tmp_path / "source.png", depth=16, **quick).save(tmp_path / "first.tif")
    assert tifffile.imread(first).dtype == np.uint16
    job = reverie.replay(first)
    *_, last = job.frames()
    assert job.picture(last).save(tmp_path / "again.tif").read_bytes() == first.read_bytes()
    assert (tifffile.imread(first)[..., 3] == DEEP[..., 3]).all()  # alpha is not touched
    with pytest.raises(UsageError, match=r"^depth"):
        reverie.job(tmp_path / "source.png", depth=12)


def test_arrays_of_sixteen_bits_mean_what_their_floats_mean():
    deep, floats = sources.opened(DEEP[..., :3]), sources.opened(UNIT[:, :3])
    assert deep.pixels.dtype == torch.uint16 and deep.sha256 == floats.sha256
    assert torch.equal(ops.unit(deep.pixels), floats.pixels)


@given(st.tuples(*[st.integers(1, 40)] * 4), st.sampled_from([torch.uint8, torch.uint16]))
def test_integers_are_resized_like_their_floats(sides, kind):
    white = torch.iinfo(kind).max
    whole = torch.from_numpy(RNG.integers(0, white + 1, (1, 3, *sides[:2]))).to(kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ops, "_BAND", 60)
        assert torch.equal(ops.resize(whole, sides[2:]), ops.resize(ops.unit(whole), sides[2:]))


PEAK = """
import resource, sys, torch
from reverie import files
import tifffile
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
path, side, depth = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
pixels = torch.rand(3, side, 64).repeat_interleave(side // 64, -1)
if depth == 8:
    pixels.mul_(4).round_().div_(4)
before = peak()
files.save(path, pixels, depth=depth)
print(peak() - before)
"""
LOAD = """
import resource, sys
from reverie import files
import tifffile
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
files.load(sys.argv[1])
print(peak() - before)
"""


def growth(code: str, *arguments: object) -> float:
    """MiB by which the resident memory of a new process grew at its largest."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("side", [2048, pytest.param(8000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "depth"), [("a.png", 8), ("a.png", 16), ("a.tif", 16), ("a.jpg", 8)])
def test_memory_of_saving_and_loading(tmp_path, name, depth, side):
    megapixels = side * (side // 64 * 64) / 1e6
    saved = growth(PEAK, tmp_path / name, side, depth)
    read = growth(LOAD, tmp_path / name)
    # Pillow keeps 4 bytes a pixel while it decodes or encodes a whole picture.
    assert saved < 100 + megapixels * (5 if name == "a.jpg" else 0)
    assert read < 100 + megapixels * (3 * depth / 8 + (0 if name == "a.tif" else 4))


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_of_which_one_color_is_transparent(channels):
    """No encoder at hand writes it: a picture whose rows are not filtered, made by hand."""
    samples = np.ascontiguousarray(DEEP[..., :channels] | 1)
    key = samples[5, 7].copy()
    samples[0, 0] = key ^ 2  # the same but for what 8 bits lose
    out = io.BytesIO(png.SIGNATURE)
    out.seek(0, io.SEEK_END)
    png._chunk(out, b"IHDR", struct.pack(">2I5B", 23, 37, 16, {1: 0, 3: 2}[channels], 0, 0, 0))
    png._chunk(out, b"tRNS", key.astype(">u2").tobytes())
    png._chunk(out, b"IDAT", zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)))
    png._chunk(out, b"IEND", b"")
    photo = files.load(out.getvalue())
    hidden = (samples == key).all(2)
    assert hidden[5, 7] and not hidden[0, 0]
    assert photo.pixels.dtype == photo.alpha.dtype == torch.uint16
    assert (photo.alpha[0, 0].numpy() == np.where(hidden, 0, 65535)).all()
    assert (photo.pixels[0].permute(1, 2, 0).numpy() == samples)[~hidden].all()


@pytest.mark.parametrize("depth", [12, 0, 32])
def test_no_other_depths_are_written(tmp_path, depth):
    made = api.Picture(UNIT[:, :3], None)
    with pytest.raises(UsageError, match=f"8 or 16 bits a sample, not {depth}"):
        files.save(tmp_path / "a.png", UNIT[:, :3], depth=depth)
    with pytest.raises(UsageError, match="8 or 16 bits"):
        files.write(io.BytesIO(), UNIT[:, :3], depth=depth)
    if depth:
        with pytest.raises(UsageError, match="8 or 16 bits"):
            made.save(tmp_path / "a.png", depth=depth)
    assert not list(tmp_path.iterdir())
