"""Stills of more than 8 bits and of other color codings, through other people's encoders."""

from __future__ import annotations

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from reverie import files
from reverie.errors import InputError
from reverie.files.png import SIGNATURE

Y, X = np.mgrid[0:48, 0:64]
SCENE = np.dstack([X / 63, Y / 47, (X + Y) / 110]) * 0.9 + 0.05  # sRGB, 0..1
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def light(signal: np.ndarray) -> np.ndarray:
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def pq(scene: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084 of a scene whose white has 203 cd/m2 (BT.2408), in the primaries of BT.2020."""
    power = ((light(scene) @ TO_BT2020.T).clip(0) * 203 / 10_000) ** (2610 / 16384)
    made: np.ndarray = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    return made


def png(samples: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">2I5B", samples.shape[1], samples.shape[0], 16, 2, 0, 0, 0))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    made = [chunk(*each) for each in chunks]
    return SIGNATURE + head + b"".join(made) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def shown(photo: files.Photo) -> np.ndarray:
    white = 1 if photo.pixels.is_floating_point() else torch.iinfo(photo.pixels.dtype).max
    return photo.pixels[0].permute(1, 2, 0).numpy().astype(np.float64) / white


def heic(deep: np.ndarray, **options: int) -> bytes:
    heif = pytest.importorskip("pillow_heif")
    made, out = heif.from_bytes("RGB;16", (64, 48), deep.tobytes()), io.BytesIO()
    made.save(out, quality=-1, chroma=444, **options)
    return out.getvalue()


def avif(deep: np.ndarray, **options: int) -> bytes:
    made: bytes = imagecodecs.avif_encode(deep >> 6, level=98, bitspersample=10, pixelformat="444", **options)
    return made


def hdr(kind: str) -> bytes:
    deep = np.rint(pq(SCENE) * 65_535).astype(np.uint16)
    if kind == "png":
        return png(deep, (b"cICP", bytes([9, 16, 0, 1])))
    if kind == "avif":
        return avif(deep, primaries=9, transfer=16, matrix=9)
    return heic(
        deep, color_primaries=9, transfer_characteristics=16, matrix_coefficients=9, full_range_flag=1
    )


@pytest.mark.parametrize("kind", ["png", "avif", "heic"])
def test_hdr_stills_look_like_the_scene(kind: str) -> None:
    photo = files.load(hdr(kind))
    seen = shown(photo)
    assert abs(seen.mean() - SCENE.mean()) < 0.06 and abs(seen.std() - SCENE.std()) < 0.06
    assert np.corrcoef(seen.ravel(), SCENE.ravel())[0, 1] > 0.98
    assert photo.notes == ("The picture is HDR (PQ); it was tone mapped.",)


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_ten_bits_stay_ten_bits(kind: str) -> None:
    ramp = np.repeat((np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) % 1024)[..., None], 3, 2) << 6
    said = {"primaries": 1, "transfer": 13, "matrix": 1}
    file = avif(ramp, **said) if kind == "avif" else heic(ramp, full_range_flag=1)
    photo = files.load(file)
    assert photo.pixels.dtype == torch.uint16 and photo.notes == ()
    assert np.abs(shown(photo) * 1023 - (ramp >> 6)).max() <= 4
    assert len(np.unique(photo.pixels.numpy())) > 600


def test_twelve_bit_jpegs_are_read() -> None:
    deep = np.rint(SCENE * 4095).astype(np.uint16)
    photo = files.load(imagecodecs.jpeg8_encode(deep, level=98, bitspersample=12))
    assert photo.pixels.dtype == torch.uint16
    assert np.abs(shown(photo) - SCENE).max() < 0.02


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_that_lacks_its_end_marker_alone_is_read(options: dict) -> None:
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (67, 91, 3), np.uint8)
    Image.fromarray(noise).save(out, "JPEG", **options)
    whole = out.getvalue()
    photo = files.load(whole[:-2])
    assert torch.equal(photo.pixels, files.load(whole).pixels)
    assert photo.notes == ("The picture lacks its end marker; nothing else of it is missing.",)
    for cut in (4, 60, len(whole) // 2):
        with pytest.raises(InputError, match="damaged or cut short"):
            files.load(whole[:-cut])


def test_gamma_and_primaries_of_a_png_are_heeded() -> None:
    deep = np.rint(light(SCENE) * 65_535).astype(np.uint16)
    gamma = (b"gAMA", struct.pack(">I", 100_000))
    photo = files.load(png(deep, gamma))
    np.testing.assert_allclose(shown(photo), SCENE, atol=2e-3)
    assert "converted to sRGB" in photo.notes[0]
    # In the primaries of BT.2020, white and light as in sRGB.
    wide = np.rint((light(SCENE) @ TO_BT2020.T).clip(0, 1) * 65_535).astype(np.uint16)
    corners = (31_270, 32_900, 70_800, 29_200, 17_000, 79_700, 13_100, 4_600)
    photo = files.load(png(wide, gamma, (b"cHRM", struct.pack(">8I", *corners))))
    np.testing.assert_allclose(shown(photo), SCENE, atol=5e-3)


def test_what_says_srgb_is_left_alone() -> None:
    deep = np.rint(SCENE * 65_535).astype(np.uint16)
    gamma = (b"gAMA", struct.pack(">I", 45_455))
    corners = (b"cHRM", struct.pack(">8I", 31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000))
    said = [(), (gamma,), (gamma, corners), ((b"cICP", bytes([1, 13, 0, 1])),)]
    said += [((b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))), ((b"gAMA", bytes(4)), (b"cHRM", bytes(32)))]
    for chunks in said:
        photo = files.load(png(deep, *chunks))
        assert (photo.pixels[0].permute(1, 2, 0).numpy() == deep).all() and photo.notes == ()


def test_profiles_keep_sixteen_bits() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tmp1").replace(b"bXYZ", b"rXYZ").replace(b"tmp1", b"bXYZ")
    deep = np.rint(SCENE * 65_535).astype(np.uint16)
    photo = files.load(png(deep, (b"iCCP", b"a\0\0" + zlib.compress(swapped))))
    assert photo.pixels.dtype == torch.uint16 and photo.profile is None
    np.testing.assert_allclose(shown(photo), SCENE[..., ::-1], atol=2e-3)
    # Eight bits would leave a step of 1/255, a hundred times as much.
    assert np.abs(shown(photo) - SCENE[..., ::-1]).mean() < 3e-4
    assert "color profile" in photo.notes[0] and "converted to sRGB" in photo.notes[0]
