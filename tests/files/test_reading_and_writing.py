"""Real files through real encoders and decoders; whatever is refused is one sentence of our own."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import random
import struct
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile, ImageOps, features

from reverie import files
from reverie.errors import InputError, OutputError, UsageError, printable
from reverie.pixels import ops

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (6, 9, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (6, 9, 3), np.uint16)
GREY = torch.full((1, 3, 4, 4), 0.5)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = SRGB.replace(b"rXYZ", b"tmp1").replace(b"bXYZ", b"rXYZ").replace(b"tmp1", b"bXYZ")  # red is blue
Patch = pytest.MonkeyPatch
KINDS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp", "GIF": ".gif"}
SUFFIXES = sorted(files.WRITES)
EXTRA = {"AVIF": features.check("avif"), "HEIF": importlib.util.find_spec("pillow_heif")}
MODES = "L.jpg L.png L.tif 1.jpg 1.png 1.tif P.png P.tif LA.png LA.tif RGBA.png RGBA.tif CMYK.jpg CMYK.tif "
MODES += "YCbCr.jpg LAB.tif I;16.png I;16.tif I.tif F.tif"
RARE = {"I;16": np.full((4, 8), 65535, np.uint16), "I": np.full((4, 8), 65535, np.int32)}
RARE |= {"F": np.ones((4, 8), np.float32), "LAB": Image.new("LAB", (8, 4), (255, 128, 128))}
NO_PICTURES = {b"": "is empty", b"text\n" * 30: "is no picture", b"%PDF-1.7\n": "is no picture"}
NO_PICTURES |= {b"%!PS-Adobe-3.0 EPSF-3.0\n": "is no picture", b"8BPS\0\1": "is no picture"}
NO_PICTURES |= {b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99): "pip install pillow-heif"}
NO_PICTURES |= {b"\0\0\0\x18ftypmif1\0\0\0\0heixmif1" + bytes(99): "pip install pillow-heif"}
FAULTS = {"may not": PermissionError(13, "no"), "worn": OSError(5, "worn"), "memory": MemoryError()}
FAULTS |= {"into memory": RuntimeError("can't allocate memory"), "damaged": RuntimeError("odd")}
LONG = "x" * 300 + ".png"
BAD_NAMES = {"a.xyz": ".png .jpg", "a": "suffix", "none/a.png": "make the folder", "sub": "is a folder"}
BAD_NAMES |= {"old.png": "overwrite=True", "old.png/a.png": "folder", "full.png": "ordinary", LONG: "long"}
NO_LINKS, FULL = OSError(errno.EPERM, "no links here"), OSError(errno.ENOSPC, "full")
SIDE = st.integers(1, 9)


def cmyk_profile() -> bytes:
    """The smallest CMYK profile: no ink is white, any full ink is black, by an 8-bit table to Lab."""
    white = struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    ramp, unity = bytes(range(256)), struct.pack(">9i", *(0x10000 if at % 4 == 0 else 0 for at in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + unity + ramp * 4
    table += bytes([255, 128, 128]) + bytes([0, 128, 128]) * 15 + ramp * 3
    tags = struct.pack(">I4s2I4s2I", 2, b"A2B0", 156, len(table), b"wtpt", 156 + len(table), 20)
    body = tags + table + b"XYZ " + bytes(4) + white
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), b"test", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    return (head + bytes(12) + b"acsp" + bytes(28) + white).ljust(128, b"\0") + body


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raising(error: BaseException) -> None:
    raise error


def written(path: Path, array: Any, **options: Any) -> Path:
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(path, **options)
    return path


def shown(photo: files.Photo) -> np.ndarray[Any, Any]:
    assert photo.pixels.shape[:2] == (1, 3)
    assert photo.pixels.dtype in (torch.uint8, torch.uint16) or bool(((photo.pixels >= 0) & (photo.pixels <= 1)).all())
    return files.to_uint8(photo.pixels)


def near(photo: files.Photo, wanted: Any, most: float = 0) -> None:
    assert np.abs(shown(photo).astype(int) - np.asarray(wanted).astype(int)).max() <= most


@pytest.mark.parametrize("kind", [*KINDS, *(kind for kind, there in EXTRA.items() if there)])
def test_reads_each_format_whatever_its_name(tmp_path: Path, kind: str) -> None:
    if kind == "HEIF":
        importlib.import_module("pillow_heif").register_heif_opener()
    solid = np.full((80, 90, 3), (200, 90, 30), np.uint8)
    path = written(tmp_path / "wrong.xyz", solid, format=kind, **({} if kind == "TIFF" else {"quality": 100}))
    photo = files.load(path)
    near(photo, (200, 90, 30), 0 if kind in ("PNG", "TIFF", "BMP") else 3)
    assert photo.alpha is None and photo.notes == () and photo.name == str(path) and len(photo.sha256) == 64


@pytest.mark.parametrize("name", MODES.split())
def test_reads_each_mode(tmp_path: Path, name: str) -> None:
    mode = name.partition(".")[0]
    picture = RARE[mode] if mode in RARE else Image.new("RGB", (8, 4), "white").convert(mode)
    photo = files.load(written(tmp_path / name, picture))
    near(photo, 255, 1)
    assert (photo.alpha is not None) == mode.endswith("A")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey_keeps_its_steps(tmp_path: Path, suffix: str) -> None:
    ramp = np.arange(0, 65536, 97, dtype=np.uint16).reshape(4, -1)
    photo = files.load(written(tmp_path / f"ramp{suffix}", ramp))
    assert (photo.pixels[0, 2].numpy() == ramp).all()


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("kind", ["uint16", "uint32", "float32"])
def test_deep_color_tiff_keeps_its_steps(tmp_path: Path, kind: str, planar: str) -> None:
    unit = DEEP / 65535
    values = (unit * np.iinfo(kind).max if kind != "float32" else unit).astype(kind)
    stored = np.ascontiguousarray(np.moveaxis(values, 2, 0)) if planar == "separate" else values
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, compression="zlib")
    assert np.abs(ops.unit(files.load(tmp_path / "a.tif").pixels)[0].permute(1, 2, 0).numpy() - unit).max() < 2e-5


def test_deep_tiff_with_alpha_orientation_profile_and_bigtiff(tmp_path: Path) -> None:
    deep, rest = np.dstack([DEEP, np.full((6, 9), 32768, np.uint16)]), {"extratags": [(274, 3, 1, 6, True)]}
    rest |= {"photometric": "rgb", "extrasamples": ["unassalpha"], "bigtiff": True}
    for profile, wanted in ((SRGB, DEEP), (SWAPPED, DEEP[..., ::-1])):
        tifffile.imwrite(tmp_path / "a.tif", deep, iccprofile=profile, **rest)
        photo = files.load(tmp_path / "a.tif")
        assert photo.alpha is not None and photo.alpha.shape == (1, 1, 9, 6)
        assert bool((photo.alpha.numpy() == 32768).all())
        near(photo, np.rot90(wanted / 257, -1).round(), 2)


def test_float_grey_beyond_the_unit_range_is_stretched_and_noted(tmp_path: Path) -> None:
    photo = files.load(written(tmp_path / "a.tif", np.array([[-3.0, np.nan, 5.0, np.inf]], np.float32)))
    assert shown(photo)[0, :, 0].tolist() == [0, 96, 255, 96] and len(photo.notes) == 2


def test_transparency_of_palette_and_of_one_color(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1, 1]], np.uint8)).convert("P")
    picture.putpalette([255, 0, 255, 10, 200, 30])
    for stored, clear in ((picture, 0), (picture.convert("RGB"), (255, 0, 255))):
        photo = files.load(written(tmp_path / "a.png", stored, transparency=clear))
        assert photo.alpha is not None and photo.alpha.flatten().tolist() == [0, 255, 255]
        near(photo, (10, 200, 30))  # the hidden magenta is gone


@pytest.mark.parametrize(("alpha", "mean"), [([[255, 255, 0]], [20, 30, 40]), ([[0, 0, 0]], [128, 128, 128])])
def test_hidden_pixels_become_the_mean_of_the_visible(tmp_path: Path, alpha: Any, mean: Any) -> None:
    color = np.array([[[10, 20, 30], [30, 40, 50], [255, 0, 255]]])
    photo = files.load(written(tmp_path / "a.png", np.dstack([color, alpha]).astype(np.uint8)))
    again = files.load(files.save(tmp_path / "b.png", photo.pixels, alpha=photo.alpha))
    assert shown(photo)[0, 2].tolist() == mean and torch.equal(again.pixels, photo.pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("code", range(1, 9))
def test_exif_orientation(tmp_path: Path, code: int, suffix: str) -> None:
    corners, exif = np.zeros((16, 32, 3), np.uint8), Image.Exif()
    corners[:8, :16], corners[:8, 16:], corners[8:, :16] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    exif[274] = code
    path = written(tmp_path / f"a{suffix}", corners, exif=exif)
    with Image.open(path) as picture:
        near(files.load(path), ImageOps.exif_transpose(picture).convert("RGB"), 3)
    assert files.load(path).pixels.shape[2:] == ((32, 16) if code >= 5 else (16, 32))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_profile_is_converted(tmp_path: Path, suffix: str) -> None:
    red = np.full((16, 16, 3), (250, 0, 0), np.uint8)
    photo = files.load(written(tmp_path / f"a{suffix}", red, icc_profile=SWAPPED))
    near(photo, (0, 0, 250), 8)
    assert photo.profile is None


@pytest.mark.parametrize("profile", [SRGB, b"nonsense", SRGB[:200], cmyk_profile()])
def test_srgb_is_kept_a_broken_profile_noted_and_broken_exif_ignored(tmp_path: Path, profile: bytes) -> None:
    photo = files.load(written(tmp_path / "owl.png", RGB, icc_profile=profile, exif=b"Exif\0\0II*\0\xff\xff"))
    near(photo, RGB)
    assert photo.profile == (SRGB if profile == SRGB else None)
    assert [note.startswith("owl.png has a color") for note in photo.notes] == [True] * (profile != SRGB)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
@pytest.mark.parametrize("profile", [None, cmyk_profile()])
def test_cmyk(tmp_path: Path, suffix: str, profile: bytes | None) -> None:
    for ink, wanted in ((0, (255, 255, 255)), (255, (0, 0, 0) if profile else (0, 255, 255))):
        inked = Image.new("CMYK", (16, 16), (ink, 0, 0, 0))
        photo = files.load(written(tmp_path / f"a{suffix}", inked, icc_profile=profile))
        near(photo, wanted, 2)
        assert len(photo.notes) == 1 and photo.notes[0].endswith("converted to sRGB.") == bool(profile)
        assert "CMYK" in photo.notes[0] or profile
        assert photo.profile is None


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tif"])
def test_animation_gives_its_first_frame_and_a_note(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (20, 10), color) for color in ("red", "lime", "blue")]
    written(tmp_path / f"owl.{kind}", frames[0], save_all=True, append_images=frames[1:], lossless=True)
    photo = files.load(tmp_path / f"owl.{kind}")
    near(photo, (255, 0, 0))
    assert photo.notes == (f"owl.{kind} has more than one frame; the first is used.",)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3000, 4000)])
def test_smallest_longest_and_twelve_megapixels(tmp_path: Path, size: tuple[int, int]) -> None:
    photo = files.load(written(tmp_path / "a.jpg", np.full((*size, 3), 77, np.uint8)))
    assert photo.pixels.shape == (1, 3, *size) and shown(photo)[-1, -1].tolist() == [77, 77, 77]


def test_listing(tmp_path: Path) -> None:
    for name in ("f10.png", "f2.JPG", "F1.webp", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [each.name for each in files.listing(tmp_path)] == ["F1.webp", "f2.JPG", "f10.png"]
    for place in (tmp_path / "folder.png", tmp_path / "none", tmp_path / "f2.JPG"):
        with pytest.raises(InputError, match=place.name):
            files.listing(place)


def refused(path: Path, word: str = "", **options: int) -> None:
    with pytest.raises(InputError) as caught:
        files.load(path, **options)
    said = str(caught.value)
    assert said.startswith(printable(str(path))) and said.endswith(".") and "\n" not in said and word in said


def test_refuses_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    said = {"none.jpg": "does not exist", "": "a folder", "pipe.jpg": "no file", "x" * 300: "cannot be read"}
    for name, word in said.items():
        refused(tmp_path / name, word)


@pytest.mark.parametrize("data", NO_PICTURES)
def test_refuses_what_is_no_picture(tmp_path: Path, monkeypatch: Patch, data: bytes) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.jpg").write_bytes(data)
    refused(tmp_path / "a.jpg", NO_PICTURES[data])


@pytest.mark.parametrize("kind", [*KINDS, "deep"])
def test_refuses_a_truncated_file(tmp_path: Path, kind: str) -> None:
    big, path = RNG.integers(0, 256, (64, 64, 3), np.uint16), tmp_path / "a.png"
    if kind == "deep":
        tifffile.imwrite(path, big, photometric="rgb", rowsperstrip=8)
    else:
        written(path, big.astype(np.uint8), format=kind)
    data = path.read_bytes()
    for part in (0.3, 0.6, 0.9):
        path.write_bytes(data[: int(len(data) * part)])
        refused(path)


def test_refuses_too_many_pixels_and_leaves_no_trace(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # of no consequence: no warning, no refusal
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for kind, suffix in KINDS.items():
        path = written(tmp_path / f"a{suffix}", RGB, format=kind)
        refused(path, "more than 53 pixels", max_pixels=53)
        assert files.load(path, max_pixels=54).pixels.shape == (1, 3, 6, 9)
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == (10, True)
    header = chunk(b"IHDR", struct.pack(">2I5B", 40_000, 40_000, 8, 2, 0, 0, 0))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT"))
    refused(tmp_path / "bomb.png", "more than 300,000,000 pixels")


@pytest.mark.parametrize("said", FAULTS)
def test_refuses_what_the_system_refuses(tmp_path: Path, monkeypatch: Patch, said: str) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: raising(FAULTS[said]))
    refused(written(tmp_path / "a.bmp", RGB), said)


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_read_or_refused(tmp_path: Path, kind: str) -> None:
    dice, path = random.Random(kind), tmp_path / "a"
    good = written(path, RNG.integers(0, 256, (24, 24, 3), np.uint8), format=kind).read_bytes()
    for _ in range(200):
        data = bytearray(good)
        for _ in range(dice.randint(1, 8)):
            data[dice.randrange(min(len(data), dice.choice((64, 10**6))))] = dice.randrange(256)
        path.write_bytes(data[: dice.choice((None, dice.randrange(len(data))))])
        with contextlib.suppress(InputError):
            shown(files.load(path, max_pixels=10**6))
            files.read_text(path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.tuples(SIDE, SIDE), clear=st.booleans(), text=st.none() | st.text(), seed=st.integers(0))
def test_round_trip(tmp_path: Path, size: Any, *, clear: bool, text: str | None, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, (*size, 4), np.uint8)
    values[..., 3] |= 1  # what is wholly hidden is not kept
    whole = torch.from_numpy(values).permute(2, 0, 1)[None] / 255
    alpha = whole[:, 3:] if clear else None
    for suffix in (".PNG", ".tif", ".jpg", ".webp"):
        path = files.save(tmp_path / f"a{suffix}", whole[:, :3], alpha=alpha, text=text, overwrite=True)
        assert files.read_text(path) == text
        if suffix in (".PNG", ".tif"):
            photo = files.load(path)
            assert torch.equal(ops.unit(photo.pixels), whole[:, :3])
            assert photo.alpha is alpha or torch.equal(ops.unit(photo.alpha), alpha)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saving_is_deterministic_and_keeps_profile_alpha_and_a_long_text(tmp_path: Path, suffix: str) -> None:
    exif, text = Image.Exif(), 'é{"<&>%]]>": "\\u00e9\n"}\0' * 2300  # 60 kB
    exif[0x010F] = "SecretCamera"
    pixels = files.load(written(tmp_path / "private.jpg", RGB, exif=exif)).pixels
    first = files.save(tmp_path / f"a{suffix}", pixels, alpha=pixels[:, :1], text=text, profile=SRGB)
    two = files.save(tmp_path / f"b{suffix.upper()}", pixels[0], alpha=pixels[0, :1], text=text, profile=SRGB)
    assert first.read_bytes() == two.read_bytes() and b"SecretCamera" not in first.read_bytes()
    assert files.read_text(first) == text and files.load(first).profile == SRGB
    assert (files.load(first).alpha is None) == suffix.startswith(".j")


def test_text_that_is_not_ours_or_half_a_surrogate(tmp_path: Path) -> None:
    foreign = {"a.jpg": {"comment": b"holiday"}, "a.tif": {"tiffinfo": {270: "x"}}, "a.gif": {}}
    for name, options in foreign.items():
        assert files.read_text(written(tmp_path / name, RGB, **options)) is None
    assert files.read_text(files.save(tmp_path / "b.png", GREY, text="a\udc80")) == "a\\udc80"


def test_to_uint8_rounds_and_clips_and_shapes_are_checked() -> None:
    odd = torch.tensor([-1.0, 0.0, 0.49 / 255, 0.51 / 255, 1.0, 7.0, float("nan"), float("inf")])
    assert files.to_uint8(odd.expand(1, 3, 1, 8))[0, :, 1].tolist() == [0, 0, 0, 1, 255, 255, 0, 255]
    for shape, other in (((2, 3, 4, 4), None), ((4, 4), None), ((1, 4, 4), None), ((3, 4, 4), (1, 4, 5))):
        with pytest.raises(UsageError):
            files.save("a.png", torch.zeros(shape), alpha=other and torch.zeros(other))


@pytest.mark.parametrize("name", BAD_NAMES)
def test_refuses_to_write_early_and_late(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "old.png").write_bytes(b"old")
    (tmp_path / "full.png").symlink_to("/dev/full")
    before = sorted(tmp_path.rglob("*"))
    for call in (lambda path, over: files.save(path, GREY, overwrite=over), files.check_writable):
        with pytest.raises(OutputError, match=BAD_NAMES[name]) as caught:
            call(tmp_path / name, name == "full.png")
        assert "\n" not in str(caught.value) and str(caught.value).startswith(printable(str(tmp_path / name)))
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "old.png").read_bytes() == b"old"


def test_refuses_a_side_or_a_text_that_the_format_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="16383"):
        files.check_writable(tmp_path / "a.webp", size=(1, 16_384))
    for name, length in (("a.jpg", 70_000), ("a.png", 1_000_001)):
        with pytest.raises(OutputError, match="metadata=False"):
            files.save(tmp_path / name, GREY, text="x" * length)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [FULL, OSError(errno.EROFS, "worn"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_nothing_is_left_after_a_failure(tmp_path: Path, monkeypatch: Patch, error: Any, call: str) -> None:
    monkeypatch.setattr(os, call, lambda *_: raising(error))
    monkeypatch.setattr(os, "link", lambda *_: raising(NO_LINKS))
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        files.save(tmp_path / "a.png", GREY)
    assert error is not FULL or "the disk is full" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_overwriting_follows_a_link_and_checking_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "a.png").symlink_to("real.png")
    files.check_writable(tmp_path / "a.png", overwrite=True)
    files.save(tmp_path / "a.png", GREY, overwrite=True)
    assert (tmp_path / "a.png").is_symlink() and len(list(tmp_path.iterdir())) == 2
    near(files.load(tmp_path / "real.png"), 128)


def test_of_two_processes_one_writes(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(files.save, tmp_path / "a.png", GREY) for _ in range(4)]
    assert sorted(type(job.exception()).__name__ for job in jobs) == ["NoneType", *["OutputError"] * 3]
    near(files.load(tmp_path / "a.png"), 128)


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path, monkeypatch: Patch, links: bool) -> None:
    path = tmp_path / "a.png"
    monkeypatch.setattr(files.writing, "check_writable", lambda *_: path.write_bytes(b"theirs"))
    monkeypatch.setattr(os, "link", os.link if links else lambda *_: raising(NO_LINKS))
    with pytest.raises(OutputError, match="exists already"):
        files.save(path, GREY)
    assert path.read_bytes() == b"theirs" and list(tmp_path.iterdir()) == [path]
