"""Films made for tests, with color converted by numpy instead of swscale, so that ours can be checked against it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

WEIGHTS = {"bt709": (0.2126, 0.0722, 1), "bt601": (0.299, 0.114, 5), "bt2020": (0.2627, 0.0593, 9)}


def planes(rgb: np.ndarray, matrix: str = "bt709", full: bool = False, bits: int = 8) -> np.ndarray:
    """RGB uint8 [H, W, 3] as Y, Cb, Cr [3, H, W], straight from the definition in H.273."""
    red, blue, _ = WEIGHTS[matrix]
    r, g, b = np.moveaxis(rgb / 255.0, -1, 0)
    y = red * r + (1 - red - blue) * g + blue * b
    chroma = [(b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)]
    scale, top = 2 ** (bits - 8), 2**bits - 1
    if full:
        values = [y * top, *(each * top + 128 * scale for each in chroma)]
    else:
        values = [(16 + 219 * y) * scale, *((128 + 224 * each) * scale for each in chroma)]
    return np.clip(np.rint(values), 0, top).astype(np.uint8 if bits == 8 else np.uint16)


def _fill(plane: Any, values: np.ndarray) -> None:
    row = np.zeros((plane.height, plane.line_size), np.uint8)
    raw = np.ascontiguousarray(values).view(np.uint8)
    row[:, : raw.shape[1]] = raw
    plane.update(row)


def frame(rgb: np.ndarray, pix_fmt: str = "yuv420p", matrix: str = "bt709", full: bool = False) -> av.VideoFrame:
    """One frame; chroma of 4:2:0 is the mean of four."""
    height, width = rgb.shape[:2]
    if pix_fmt.startswith("rgb"):
        return av.VideoFrame.from_ndarray(rgb, format=pix_fmt)
    made = av.VideoFrame(width, height, pix_fmt)
    values = planes(rgb[..., :3], matrix, full, 10 if "10" in pix_fmt else 8)
    for index, plane in enumerate(values):
        if index and "420" in pix_fmt:
            padded = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge").astype(np.float64)
            four = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2)
            plane = np.rint(four.mean((1, 3))).astype(values.dtype)
        _fill(made.planes[index], plane)
    if "yuva" in pix_fmt:
        _fill(made.planes[3], rgb[..., 3])
    made.colorspace, made.color_range = WEIGHTS[matrix][2], 2 if full else 1
    return made


def patches(count: int, height: int = 48, width: int = 64, seed: int = 0) -> list[np.ndarray]:
    """Different pictures of flat 16 px patches, whose colors survive 4:2:0; the first pixel row counts the frame."""
    rng = np.random.default_rng(seed)
    grid = rng.integers(0, 256, (count, -(-height // 16), -(-width // 16), 3))
    return [np.kron(each, np.ones((16, 16, 1))).astype(np.uint8)[:height, :width] for each in grid]


def tone(seconds: float, rate: int = 48_000) -> np.ndarray:
    """A 440 Hz tone, stereo, [2, samples] float32."""
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    return np.stack([wave, wave]).astype(np.float32)


def write(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    rate: Fraction | int = 24,
    ticks: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    matrix: str = "bt709",
    full: bool = False,
    tagged: bool = True,
    rotation: int = 0,
    aspect: Fraction | None = None,
    sound: str | None = None,
    seconds: float = 0,
    options: dict[str, str] | None = None,
    transfer: int | None = None,
    primaries: int | None = None,
) -> Path:
    """A film of RGB(A) uint8 pictures; ``ticks`` are their times in ``time_base``; ``sound`` is an audio codec;
    ``transfer`` and ``primaries`` are H.273's numbers."""
    pictures = list(pictures)
    height, width = pictures[0].shape[:2] if pictures else (48, 64)
    lossless = {"libx264": {"qp": "0", "preset": "ultrafast"}, "ffv1": {}}.get(codec, {})
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=lossless if options is None else options)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        base = time_base or 1 / Fraction(rate)
        stream.codec_context.time_base = base
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if tagged and not pix_fmt.startswith("rgb"):
            stream.codec_context.colorspace = WEIGHTS[matrix][2]
            stream.codec_context.color_range = 2 if full else 1
        if transfer and primaries:
            stream.codec_context.color_trc, stream.codec_context.color_primaries = transfer, primaries
        if rotation:
            stream.set_display_rotation(rotation)
        if not pictures:
            container.start_encoding()
        heard = container.add_stream(sound, rate=48_000) if sound else None
        for index, rgb in enumerate(pictures):
            made = frame(rgb, pix_fmt, matrix, full)
            if transfer and primaries:
                made.color_trc, made.color_primaries = transfer, primaries
            if not tagged:
                made.colorspace, made.color_range = 2, 0
            made.pts, made.time_base = ticks[index] if ticks else index, base
            container.mux(stream.encode(made))
        container.mux(stream.encode())
        if heard is not None:
            _sing(container, heard, tone(seconds))
    return path


def displayed(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Put a display matrix into an MP4: what lies at (x, y) is shown at (a x + c y, b x + d y)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))


def woven(fields: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Interlaced frames out of twice as many pictures: odd rows from the first of each two, which comes first."""
    made = [later.copy() for later in fields[1::2]]
    for frame, first in zip(made, fields[::2], strict=True):
        frame[1::2] = first[1::2]
    return made


def only_sound(path: Path, codec: str = "aac", seconds: float = 0.5) -> Path:
    """A file that holds sound and no picture."""
    with av.open(str(path), "w") as container:
        _sing(container, container.add_stream(codec, rate=48_000), tone(seconds))
    return path


def _sing(container: Any, stream: Any, wave: np.ndarray) -> None:
    for at in range(0, wave.shape[1], 960):
        part = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, at : at + 960]), format="fltp", layout="stereo")
        part.sample_rate, part.pts, part.time_base = 48_000, at, Fraction(1, 48_000)
        container.mux(stream.encode(part))
    container.mux(stream.encode())


def packets(path: Path, kind: str = "audio") -> list[tuple[bytes, float]]:
    """Payload and time in seconds of every packet of the first stream of that kind."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(bytes(each), float(each.pts * each.time_base)) for each in container.demux(stream) if each.size]


def decoded(path: Path) -> list[tuple[float, np.ndarray]]:
    """Time in seconds and RGB uint8 of every frame, by PyAV's own defaults."""
    with av.open(str(path)) as container:
        found = container.decode(video=0)
        return [(float(each.pts * each.time_base), each.to_ndarray(format="rgb24")) for each in found]
