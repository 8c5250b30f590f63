"""Real files through real encoders and decoders; whatever is refused is one sentence of our own."""

from __future__ import annotations

import errno
import io
import os
import random
import struct
import threading
import warnings
import zlib
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile, ImageOps, features

from reverie import image
from reverie.errors import InputError, OutputError, UsageError

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (6, 9, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (6, 9, 3), np.uint16)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = SRGB.replace(b"rXYZ", b"tmp1").replace(b"bXYZ", b"rXYZ").replace(b"tmp1", b"bXYZ")  # red is blue
ROUND = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
KINDS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp", "GIF": ".gif"}


def cmyk_profile() -> bytes:
    """The smallest CMYK profile: no ink is white, any full ink is black, by an 8-bit table to Lab."""
    white = struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    corners = b"".join(bytes([255 if corner == 0 else 0, 128, 128]) for corner in range(16))
    matrix = struct.pack(">9i", *(0x10000 if at % 4 == 0 else 0 for at in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + bytes(range(256)) * 4 + corners
    table += bytes(range(256)) * 3
    parts = {b"A2B0": table, b"wtpt": b"XYZ " + bytes(4) + white}
    body, entries, at = b"", b"", 128 + 4 + 12 * len(parts)
    for name, data in parts.items():
        entries += name + struct.pack(">2I", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"test", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + white
    return head.ljust(128, b"\0") + struct.pack(">I", len(parts)) + entries + body


def written(path: Path, array: np.ndarray | Image.Image, **options: object) -> Path:
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(path, **options)
    return path


def shown(photo: image.Photo) -> np.ndarray:
    assert photo.pixels.dtype == torch.float32 and photo.pixels.is_contiguous() and photo.pixels.shape[:2] == (1, 3)
    assert bool(((photo.pixels >= 0) & (photo.pixels <= 1)).all())
    return image.to_uint8(photo.pixels)


def near(photo: image.Photo, wanted: np.ndarray, most: float = 0) -> None:
    assert np.abs(shown(photo).astype(int) - wanted.astype(int)).max() <= most


# ---- accepted ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*KINDS, "AVIF"])
def test_reads_each_format_whatever_its_name(tmp_path: Path, kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    options = {"quality": 100} if kind in ("JPEG", "AVIF") else {"lossless": True} if kind == "WEBP" else {}
    path = written(tmp_path / "wrong.name", np.full((20, 30, 3), (200, 90, 30), np.uint8), format=kind, **options)
    photo = image.load(path)
    near(photo, np.full((20, 30, 3), (200, 90, 30)), 0 if kind not in ("JPEG", "AVIF", "GIF") else 3)
    assert photo.alpha is None and photo.notes == () and photo.name == str(path) and len(photo.sha256) == 64


def test_reads_heic_only_with_its_plug_in(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    near(image.load(written(tmp_path / "a.heic", np.full((64, 64, 3), 90, np.uint8), format="HEIF")), np.array(90), 3)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_reads_each_mode(tmp_path: Path, mode: str, suffix: str) -> None:
    picture = Image.new("L", (8, 4), 255)
    if mode in ("I;16", "I", "F"):
        white = {"I;16": np.uint16(65535), "I": np.int32(65535), "F": np.float32(1)}[mode]
        picture = Image.fromarray(np.full((4, 8), white))
    elif mode == "LAB":
        picture = Image.new("LAB", (8, 4), (255, 128, 128) if suffix == ".tif" else 0)
    else:
        picture = picture.convert("RGB").convert(mode) if mode != "LA" else picture.convert(mode)
    try:
        path = written(tmp_path / f"a{suffix}", picture)
    except (OSError, KeyError):
        pytest.skip(f"{suffix} does not hold {mode}")
    photo = image.load(path)
    near(photo, np.array(255), 1)
    assert (photo.alpha is not None) == mode.endswith("A")


def test_sixteen_bit_grey_keeps_its_steps(tmp_path: Path) -> None:
    ramp = np.arange(0, 65536, 97, dtype=np.uint16).reshape(4, -1)
    for suffix in (".png", ".tif"):
        photo = image.load(written(tmp_path / f"ramp{suffix}", ramp))
        assert np.abs(photo.pixels[0, 2].numpy() - ramp / 65535).max() < 1e-6


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("kind", ["uint16", "uint32", "float32"])
def test_deep_color_tiff_keeps_its_steps(tmp_path: Path, kind: str, planar: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    unit = DEEP / 65535
    values = (unit * np.iinfo(kind).max if kind != "float32" else unit).astype(kind)
    stored = np.ascontiguousarray(np.moveaxis(values, 2, 0)) if planar == "separate" else values
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, compression="zlib")
    assert np.abs(image.load(tmp_path / "a.tif").pixels[0].permute(1, 2, 0).numpy() - unit).max() < 2e-5


def test_deep_tiff_with_alpha_orientation_and_bigtiff(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    deep = np.dstack([DEEP, np.full((6, 9), 32768, np.uint16)])
    tag = [(274, 3, 1, 6, True)]
    tifffile.imwrite(
        tmp_path / "a.tif", deep, photometric="rgb", extrasamples=["unassalpha"], extratags=tag, bigtiff=True
    )
    photo = image.load(tmp_path / "a.tif")
    assert photo.alpha is not None and photo.alpha.shape == (1, 1, 9, 6)
    assert abs(float(photo.alpha.mean()) - 32768 / 65535) < 1e-6
    near(photo, np.rot90(DEEP / 257, -1).round(), 1)


def test_float_grey_beyond_the_unit_range_is_stretched_and_noted(tmp_path: Path) -> None:
    values = np.array([[-3.0, np.nan, 5.0, np.inf]], np.float32)
    photo = image.load(written(tmp_path / "a.tif", values))
    assert shown(photo)[0, :, 0].tolist() == [0, 96, 255, 96] and len(photo.notes) == 2


def test_sixteen_bit_color_png(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in DEEP)
    chunks = [(b"IHDR", struct.pack(">2I5B", 9, 6, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = [struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(data))
    near(image.load(tmp_path / "a.png"), DEEP // 257, 1)


def test_palette_with_transparency(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1, 1]], np.uint8), "L").convert("P")
    picture.putpalette([255, 0, 255, 10, 200, 30])
    photo = image.load(written(tmp_path / "a.png", picture, transparency=0))
    assert photo.alpha is not None and photo.alpha.flatten().tolist() == [0, 1, 1]
    near(photo, np.array([[[10, 200, 30]] * 3]))  # the hidden magenta is gone


def test_transparency_by_color(tmp_path: Path) -> None:
    photo = image.load(written(tmp_path / "a.png", RGB, transparency=tuple(RGB[0, 0].tolist())))
    assert photo.alpha is not None and float(photo.alpha[0, 0, 0, 0]) == 0 and float(photo.alpha.sum()) == 53


def test_hidden_pixels_become_the_mean_of_the_visible(tmp_path: Path) -> None:
    for alpha in (np.uint8([[255, 255, 0]]), np.uint8([[0, 0, 0]])):
        color = np.uint8([[[10, 20, 30], [30, 40, 50], [255, 0, 255]]])
        photo = image.load(written(tmp_path / "a.png", np.dstack([color, alpha])))
        wanted = [20, 30, 40] if alpha.any() else [128, 128, 128]
        assert shown(photo)[0, 2].tolist() == wanted
        again = image.save(tmp_path / "b.png", photo.pixels, alpha=photo.alpha, overwrite=True)
        assert torch.equal(image.load(again).pixels, photo.pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("code", range(1, 9))
def test_exif_orientation(tmp_path: Path, code: int, suffix: str) -> None:
    corners = np.zeros((16, 32, 3), np.uint8)
    corners[:8, :16], corners[:8, 16:], corners[8:, :16] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    exif = Image.Exif()
    exif[274] = code
    path = written(tmp_path / f"a{suffix}", corners, exif=exif, **({"quality": 100} if suffix != ".tif" else {}))
    with Image.open(path) as picture:
        wanted = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    photo = image.load(path)
    assert photo.pixels.shape[2:] == ((32, 16) if code >= 5 else (16, 32))
    near(photo, wanted, 3)


def test_broken_exif_is_no_matter(tmp_path: Path) -> None:
    near(image.load(written(tmp_path / "a.jpg", RGB * 0, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")), RGB * 0)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_profile_is_converted(tmp_path: Path, suffix: str) -> None:
    red = np.full((16, 16, 3), (250, 0, 0), np.uint8)
    photo = image.load(written(tmp_path / f"a{suffix}", red, icc_profile=SWAPPED))
    assert photo.profile is None and shown(photo)[8, 8, 2] > 230 and shown(photo)[8, 8, 0] < 40


def test_srgb_profile_moves_no_value_and_is_kept(tmp_path: Path) -> None:
    photo = image.load(written(tmp_path / "a.png", RGB, icc_profile=SRGB))
    near(photo, RGB)
    again = image.save(tmp_path / "b.webp", photo.pixels, profile=photo.profile)
    assert photo.profile == SRGB == image.load(again).profile


@pytest.mark.parametrize("profile", [b"nonsense", SRGB[:200], cmyk_profile()])
def test_broken_or_foreign_profile_is_noted(tmp_path: Path, profile: bytes) -> None:
    photo = image.load(written(tmp_path / "owl.png", RGB, icc_profile=profile))
    near(photo, RGB)
    assert photo.profile is None and len(photo.notes) == 1 and photo.notes[0].startswith("owl.png ")


def test_deep_tiff_with_a_profile(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    red = np.zeros((4, 4, 3), np.uint16) + np.uint16([64000, 0, 0])
    tifffile.imwrite(tmp_path / "a.tif", red, photometric="rgb", iccprofile=SWAPPED)
    assert shown(image.load(tmp_path / "a.tif"))[0, 0, 2] > 230


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
@pytest.mark.parametrize("profile", [None, cmyk_profile()])
def test_cmyk(tmp_path: Path, suffix: str, profile: bytes | None) -> None:
    options = {"icc_profile": profile} if profile else {}
    for ink, wanted in ((0, 255), (255, 0)):
        cmyk = Image.new("CMYK", (16, 16), (0, 0, 0, ink))
        photo = image.load(written(tmp_path / f"a{suffix}", cmyk, **options))
        near(photo, np.array(wanted), 2)
        assert photo.notes == () and photo.profile is None


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tif"])
def test_animation_gives_its_first_frame_and_a_note(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (20, 10), color) for color in ("red", "lime", "blue")]
    extra = {"lossless": True} if kind == "webp" else {}
    path = written(tmp_path / f"owl.{kind}", frames[0], save_all=True, append_images=frames[1:], **extra)
    photo = image.load(path)
    near(photo, np.array([255, 0, 0]))
    assert photo.notes == (f"owl.{kind} has more than one frame; the first is used.",)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3000, 4000)])
def test_smallest_longest_and_twelve_megapixels(tmp_path: Path, size: tuple[int, int]) -> None:
    path = written(tmp_path / "a.jpg", np.full((*size, 3), 77, np.uint8))
    photo = image.load(path)
    assert photo.pixels.shape == (1, 3, *size) and shown(photo)[-1, -1].tolist() == [77, 77, 77]


def test_listing(tmp_path: Path) -> None:
    for name in ("f10.png", "f2.JPG", "F1.webp", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [each.name for each in image.listing(tmp_path)] == ["F1.webp", "f2.JPG", "f10.png"]
    for place in (tmp_path / "folder.png", tmp_path / "none", tmp_path / "f2.JPG"):
        with pytest.raises(InputError, match=place.name):
            image.listing(place)


# ---- refused -------------------------------------------------------------------------------------------------


def refused(path: Path | str, *words: str, **options: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as caught:
            image.load(path, **options)
    said = str(caught.value)
    assert said.startswith(str(path)) and said.endswith(".") and "\n" not in said
    assert all(word in said for word in words), said


def test_refuses_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.jpg", "does not exist")
    refused(tmp_path, "a folder")
    os.mkfifo(tmp_path / "pipe.jpg")
    refused(tmp_path / "pipe.jpg", "no file")
    refused(tmp_path / ("x" * 300), "cannot be read")


@pytest.mark.parametrize("data", [b"", b"just text\n" * 30, b"%PDF-1.7\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"8BPS\0\1"])
def test_refuses_what_is_no_picture(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    refused(tmp_path / "a.jpg", "is no picture" if data else "is empty")


def test_refuses_heic_without_its_plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    for brands in (b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0heixmif1"):
        (tmp_path / "a.jpg").write_bytes(struct.pack(">I", 24) + b"ftyp" + brands + bytes(99))
        refused(tmp_path / "a.jpg", "pip install pillow-heif")


@pytest.mark.parametrize("kind", [*KINDS, "deep"])
def test_refuses_a_truncated_file(tmp_path: Path, kind: str) -> None:
    big = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / "a.png"
    if kind == "deep":
        pytest.importorskip("tifffile").imwrite(path, big.astype(np.uint16), photometric="rgb", rowsperstrip=8)
    else:
        written(path, big, format=kind)
    data = path.read_bytes()
    for part in (0.3, 0.6, 0.9):
        path.write_bytes(data[: int(len(data) * part)])
        refused(path)


def test_refuses_too_many_pixels_before_decoding(tmp_path: Path) -> None:
    for kind, suffix in KINDS.items():
        path = written(tmp_path / f"a{suffix}", RGB, format=kind)
        refused(path, "more than 53 pixels", max_pixels=53)
        assert image.load(path, max_pixels=54).pixels.shape == (1, 3, 6, 9)
    header = b"IHDR" + struct.pack(">2I5B", 40_000, 40_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "bomb.png").write_bytes(bomb + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
    refused(tmp_path / "bomb.png", "more than 300,000,000 pixels")


def test_a_large_picture_neither_warns_nor_leaves_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image.load(written(tmp_path / "a.png", RGB))
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == (10, True)


@pytest.mark.parametrize("error", [PermissionError(13, "no"), OSError(5, "Input/output error"), MemoryError()])
def test_refuses_what_the_system_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    refused(written(tmp_path / "a.bmp", RGB), {13: "may not", 5: "Input/output", None: "memory"}[getattr(error, "errno", None)])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_mutated_files_are_read_or_refused(tmp_path: Path, kind: str) -> None:
    dice, path = random.Random(kind), tmp_path / "a"
    good = written(path, RNG.integers(0, 256, (24, 24, 3), np.uint8), format=kind).read_bytes()
    for _ in range(200):
        data = bytearray(good)
        for _ in range(dice.randint(1, 8)):
            data[dice.randrange(min(len(data), dice.choice((64, 10**6))))] = dice.randrange(256)
        path.write_bytes(data[: dice.choice((None, dice.randrange(len(data))))])
        try:
            shown(image.load(path, max_pixels=10**6))
            image.read_text(path)
        except InputError as error:
            assert str(error).startswith(str(path))


# ---- written -------------------------------------------------------------------------------------------------

SUFFIXES = sorted(image.WRITES)


@ROUND
@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.none() | st.text(), st.integers(0, 2**32))
def test_round_trip(tmp_path: Path, height: int, width: int, clear: bool, text: str | None, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    values[..., 3] |= 1  # what is wholly hidden is not kept
    whole = torch.from_numpy(values).permute(2, 0, 1)[None] / 255
    for suffix in (".PNG", ".tif", ".jpg", ".webp"):
        alpha = whole[:, 3:] if clear else None
        path = image.save(tmp_path / f"a{suffix}", whole[:, :3], alpha=alpha, text=text, overwrite=True)
        assert image.read_text(path) == text
        if suffix in (".PNG", ".tif"):
            photo = image.load(path)
            assert torch.equal(photo.pixels, whole[:, :3])
            assert photo.alpha is None if alpha is None else torch.equal(photo.alpha, alpha)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saving_is_deterministic_and_keeps_a_long_text(tmp_path: Path, suffix: str) -> None:
    pixels, text = torch.from_numpy(RGB).permute(2, 0, 1) / 255, 'é{"<&>%]]>": "\\u00e9\n"}\0' * 2300
    assert 55_000 < len(text.encode()) < 65_000
    first = image.save(tmp_path / f"a{suffix}", pixels, alpha=pixels[:1], text=text, profile=SRGB)
    again = image.save(tmp_path / f"b{suffix.upper()}", pixels[None], alpha=pixels[None, :1], text=text, profile=SRGB)
    assert first.read_bytes() == again.read_bytes()
    assert image.read_text(first) == text and image.load(first).profile == SRGB
    assert (image.load(first).alpha is None) == suffix.startswith(".j")


def test_text_that_is_not_ours_or_half_a_surrogate(tmp_path: Path) -> None:
    assert image.read_text(written(tmp_path / "a.jpg", RGB, comment=b"holiday")) is None
    assert image.read_text(written(tmp_path / "a.tif", RGB, tiffinfo={270: "holiday"})) is None
    assert image.read_text(written(tmp_path / "a.gif", RGB)) is None
    path = image.save(tmp_path / "b.png", torch.zeros(3, 2, 2), text="a\udc80")
    assert image.read_text(path) == "a\\udc80"


def test_to_uint8_rounds_and_clips() -> None:
    given = torch.tensor([-1.0, 0.0, 0.49 / 255, 0.51 / 255, 1.0, 7.0, float("nan"), float("inf")])
    assert image.to_uint8(given.expand(1, 3, 1, 8))[0, :, 1].tolist() == [0, 0, 0, 1, 255, 255, 0, 255]
    for shape in ((2, 3, 4, 4), (4, 4)):
        with pytest.raises(UsageError):
            image.to_uint8(torch.zeros(shape))
    for bad in ({"pixels": torch.zeros(1, 4, 4)}, {"pixels": torch.zeros(3, 4, 4), "alpha": torch.zeros(1, 4, 5)}):
        with pytest.raises(UsageError):
            image.save("a.png", **bad)


GREY = torch.full((1, 3, 4, 4), 0.5)


@pytest.mark.parametrize(
    "name, said",
    [("a.xyz", ".png .jpg"), ("a", "suffix"), ("none/a.png", "make the folder"), ("sub", "is a folder"),
     ("old.png", "--overwrite"), ("old.png/a.png", "folder"), ("full.png", "ordinary"), ("x" * 300 + ".png", "long")],
)  # fmt: skip
def test_refuses_to_write_early_and_late(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "old.png").write_bytes(b"old")
    (tmp_path / "full.png").symlink_to("/dev/full")
    before = sorted(tmp_path.rglob("*"))
    for call in (lambda p, o: image.save(p, GREY, overwrite=o), image.check_writable):
        with pytest.raises(OutputError, match=said) as caught:
            call(tmp_path / name, name == "full.png")
        assert "\n" not in str(caught.value) and str(caught.value).startswith(str(tmp_path / name))
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "old.png").read_bytes() == b"old"


def test_refuses_a_side_or_text_that_the_format_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="16383"):
        image.check_writable(tmp_path / "a.webp", size=(1, 16_384))
    with pytest.raises(OutputError, match="--no-metadata"):
        image.save(tmp_path / "a.jpg", GREY, text="x" * 70_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), OSError(errno.EACCES, "no"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", ["fsync", "link", "replace"])
def test_nothing_is_left_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, call: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, call, fail)
    if call == "replace":  # where there are no links
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no links")))
    if call == "link" and isinstance(error, OSError):
        image.save(tmp_path / "a.png", GREY)
        return
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        image.save(tmp_path / "a.png", GREY)
    assert getattr(error, "errno", 0) != errno.ENOSPC or "disk is full" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_overwriting_follows_a_link_and_checking_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "a.png").symlink_to("real.png")
    image.check_writable(tmp_path / "a.png", overwrite=True)
    image.save(tmp_path / "a.png", GREY, overwrite=True)
    assert (tmp_path / "a.png").is_symlink() and image.load(tmp_path / "real.png").pixels.shape == (1, 3, 4, 4)
    assert len(list(tmp_path.iterdir())) == 2


def _race(folder: str, value: float) -> bool:
    try:
        image.save(f"{folder}/a.png", torch.full((3, 200, 200), value))
    except OutputError:
        return False
    return True


def test_of_two_processes_one_writes(tmp_path: Path) -> None:
    with get_context("spawn").Pool(2) as pool:
        won = pool.starmap(_race, [(str(tmp_path), 0.0), (str(tmp_path), 1.0)])
    assert sorted(won) == [False, True]
    assert shown(image.load(tmp_path / "a.png"))[0, 0, 0] == 255 * won.index(True)


@pytest.mark.parametrize("links", [True, False])
def test_of_many_threads_one_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no links")))
    won: list[bool] = []
    threads = [threading.Thread(target=lambda: won.append(_race(str(tmp_path), 0.5))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(won) == 1 and [each.name for each in tmp_path.iterdir()] == ["a.png"]


def test_private_exif_is_never_copied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif.get_ifd(0x8825)[1] = "SecretCamera", "N"
    photo = image.load(written(tmp_path / "a.jpg", RGB, exif=exif))
    for suffix in SUFFIXES:
        path = image.save(tmp_path / f"b{suffix}", photo.pixels, profile=photo.profile)
        assert b"SecretCamera" not in path.read_bytes()
