"""Films written: mp4, mov, mkv, webm, GIF, animated WebP, APNG, or a folder of PNG; whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from reverie.errors import MissingError, OutputError
from reverie.files.decoding import Array
from reverie.files.metadata import comment
from reverie.files.writing import claim, unfinished
from reverie.film.ffmpeg import pyav
from reverie.film.reading.sound import TimeSpan, Track
from reverie.film.writing import metadata
from reverie.pixels.ops import Size

_BT709, _LIMITED = 1, 1
_FILTERS = 4 | 262144 | 524288  # bicubic, rounded accurately, same bits everywhere
_PALETTE_FRAMES, _REMEMBERED = 48, 200


class Footage(Protocol):
    """What is written: frames by number, each with the second it is shown from. A Reel is one."""

    times: list[Fraction]

    def picture(self, index: int) -> Array:
        """Frame ``index``, uint8 [H, W, 3]."""
        ...


@dataclass(frozen=True)
class Format:
    """A way to write a film: FFmpeg's names for container, codec and pixels, and what sound the container holds."""

    container: str
    codec: str
    pixels: str
    options: dict[str, str]
    muxing: dict[str, str]
    sound: tuple[str, ...] = ()
    fallback: str = ""
    tick: Fraction | None = None  # the only time base it knows
    limit: int = 16_384  # pixels of the longer side


# Without its macroblock tree, whose assembly reads what nobody wrote where a film is narrow: equal frames then
# made other bytes once in a while.
_X264 = {"crf": "16", "preset": "medium", "bf": "2", "mbtree": "0"}
_MP4_SOUND = ("aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "libopus", "flac")
FORMATS = {
    ".mp4": Format("mp4", "libx264", "yuv420p", _X264, {"movflags": "faststart"}, _MP4_SOUND, "aac"),
    ".m4v": Format("mp4", "libx264", "yuv420p", _X264, {"movflags": "faststart"}, _MP4_SOUND, "aac"),
    ".mov": Format("mov", "libx264", "yuv420p", _X264, {"movflags": "faststart"}, ("any",), "aac"),
    ".mkv": Format("matroska", "libx264", "yuv420p", _X264, {}, ("any",), "aac", Fraction(1, 1000)),
    ".webm": Format(
        "webm",
        "libvpx-vp9",
        "yuv420p",
        {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "threads": "1"},
        {},
        ("opus", "libopus", "vorbis", "libvorbis"),
        "libopus",
        Fraction(1, 1000),
    ),
    ".gif": Format("gif", "gif", "pal8", {}, {"loop": "0"}, tick=Fraction(1, 100)),
    ".webp": Format("webp", "libwebp_anim", "bgra", {"quality": "90"}, {"loop": "0"}, tick=Fraction(1, 1000)),
    ".apng": Format("apng", "apng", "rgb24", {}, {"plays": "0"}, tick=Fraction(1, 1000)),
}


def write_film(
    path: Path,
    footage: Footage,
    *,
    until: Fraction,
    sound: TimeSpan | None = None,
    text: str | None = None,
    overwrite: bool = False,
    on_frame: Callable[[int], None] | None = None,
) -> list[str]:
    """Write a film whole or not at all, in the format of its suffix; a name without one is a folder of PNG.

    ``until`` is when the last frame ends, in seconds; ``text`` is the Record's. Gives a sentence for each thing that
    the format could not hold. H.264 has even sides: an odd one gets a copy of its last row or column. Raises
    :class:`OutputError` where it cannot be written, :class:`MissingError` for an encoder that PyAV lacks.
    """
    height, width = footage.picture(0).shape[:2]
    check_film_writable(path, overwrite, (height, width))
    kind, notes = FORMATS.get(path.suffix.lower()), list[str]()
    listen = on_frame or (lambda _: None)
    if sound is not None and sound.clip.sound and (kind is None or not kind.sound):
        notes.append(f"{path.name} carries no sound; .mp4, .mov, .mkv and .webm do.")
        sound = None
    with unfinished(path) as temporary:
        if kind is None:
            _folder(temporary, footage, until, text, listen)
            _rename_folder(temporary, path, overwrite)
            return notes
        try:
            notes += _film(temporary, footage, kind, until, sound, text, listen)
        except pyav().error.FFmpegError as error:
            if isinstance(error, OSError):
                raise OSError(error.errno, error.strerror) from error
            raise OutputError(
                f"{path} cannot be encoded ({error}); try another suffix, such as .mkv."
            ) from None
        with open(temporary, "rb+") as file:
            if text is not None and kind.container in metadata.STAMPS:
                metadata.STAMPS[kind.container](file, text)
                file.flush()
            os.fsync(file.fileno())
        (os.replace if overwrite else claim)(temporary, os.path.realpath(path))
    return notes


def check_film_writable(path: Path, overwrite: bool = False, size: Size = (1, 1)) -> None:
    """Raise now what :func:`write_film` would raise after the work; ``size`` is (height, width) in pixels."""
    suffix, there = path.suffix.lower(), os.path.lexists(path)
    kind = FORMATS.get(suffix)
    if suffix and kind is None:
        known = " ".join(FORMATS)
        raise OutputError(f"{path} has no suffix of a film; use one of {known}, or none for a folder of PNG.")
    if kind is None and path.is_dir() and any(path.iterdir()) and not (overwrite and is_film_folder(path)):
        remedy = "or use [[overwrite=True]]" if is_film_folder(path) else "since it holds more than a film of Reverie"
        raise OutputError(f"{path} exists already and is not empty; choose another name {remedy}.")
    if kind is not None and path.is_dir():
        raise OutputError(f"{path} is a folder; add a file name such as dream.mp4.")
    if there and not (overwrite or path.is_dir()):
        raise OutputError(f"{path} exists already; choose another name or use [[overwrite=True]].")
    if there and not path.is_dir() and (kind is None or not path.is_file()):
        raise OutputError(f"{path} is not what a film may replace; choose another name.")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path} lies in a folder that does not exist; make the folder first.")
    if kind is not None:
        if max(size) > kind.limit:
            raise OutputError(
                f"{path} has a longer side than the {kind.limit} pixels of {suffix}; use a smaller [[size]]."
            )
        if not encodes(kind.codec):
            raise MissingError(
                f"This PyAV has no encoder {kind.codec} for {suffix}; install PyAV's wheel, or write another format."
            )
    with unfinished(path) as temporary:
        temporary.touch(exist_ok=False)


def encodes(codec: str) -> bool:
    """Whether the FFmpeg inside PyAV has this encoder."""
    try:
        pyav().codec.Codec(codec, "w")
    except ValueError:
        return False
    return True


def ticks(times: Sequence[Fraction], until: Fraction, tick: Fraction | None) -> tuple[list[int], Fraction]:
    """Whole numbers for the times and for the end, and the seconds of one: exact if a tick up to a millionth can be."""
    if tick is None:
        parts = math.lcm(1000, *{time.denominator for time in times})
        tick = Fraction(1, parts if parts <= 1_000_000 else 90_000)
    least = 2 if tick == Fraction(1, 100) else 1  # a GIF's frame shorter than 2/100 s is shown for 10/100
    found = [round(times[0] / tick)]
    for time in [*times[1:], until]:
        found.append(max(round(time / tick), found[-1] + least))
    return found, tick


def _film(
    path: Path,
    footage: Footage,
    kind: Format,
    until: Fraction,
    sound: TimeSpan | None,
    text: str | None,
    listen: Callable[[int], None],
) -> list[str]:
    av, count, notes = pyav(), len(footage.times), list[str]()
    marks, tick = ticks(footage.times, until, kind.tick)
    if (marks[-1] - marks[0]) * tick > (until - footage.times[0]) * Fraction(101, 100) + 2 * tick:
        slower = float((marks[-1] - marks[0]) * tick / (until - footage.times[0]))
        notes.append(
            f"A {kind.container.upper()} cannot show as many frames a second; it plays {slower:.1f} times slower."
        )
    muxing = {"fflags": "+bitexact", **kind.muxing}  # else Matroska draws itself a random number
    if kind.container in ("apng", "gif"):
        last = marks[-1] - marks[-2]
        muxing["final_delay"] = str(last) if kind.container == "gif" else f"{last}/{tick.denominator}"
    with av.open(str(path), "w", format=kind.container, options=muxing) as output:
        if text is not None and kind.container not in metadata.STAMPS:
            output.metadata["comment"] = comment(text).decode()
        seconds = (marks[-1] - marks[0]) * tick
        stream = output.add_stream(
            kind.codec, rate=(count / seconds).limit_denominator(1001), options=kind.options
        )
        context, first = stream.codec_context, _prepared(footage.picture(0), kind)
        (stream.height, stream.width), stream.pix_fmt = first.shape[:2], kind.pixels
        context.time_base = tick
        if kind.pixels == "yuv420p":
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED
        track = None if sound is None else Track(sound, output, kind.sound, kind.fallback)
        lengths = {mark: after - mark for mark, after in pairwise(marks)}
        try:
            for index, frame in enumerate(_frames(footage, kind)):
                frame.pts, frame.time_base, frame.duration = marks[index], tick, lengths[marks[index]]
                if track is not None:
                    track.until(footage.times[index])
                _mux(output, stream.encode(frame), lengths, tick)
                listen(index)
            _mux(output, stream.encode(), lengths, tick)
            if track is not None:
                track.until(None)
                notes += track.notes
        finally:
            if track is not None:
                track.close()
    return notes


def _mux(output: Any, packets: list[Any], lengths: dict[int, int], tick: Fraction) -> None:
    for packet in packets:
        if packet.time_base == tick and packet.pts in lengths:
            packet.duration = lengths[packet.pts]  # encoders guess it from the rate
        output.mux(packet)


def _frames(footage: Footage, kind: Format) -> Iterator[Any]:
    """PyAV frames in the pixels of the format, one at a time."""
    av, count = pyav(), len(footage.times)
    rgb = (
        av.VideoFrame.from_ndarray(_prepared(footage.picture(n), kind), format="rgb24") for n in range(count)
    )
    if kind.pixels == "pal8":
        yield from _paletted(footage, rgb)
    elif kind.pixels == "rgb24":
        yield from rgb
    else:
        to: dict[str, Any] = {"format": kind.pixels, "interpolation": _FILTERS, "threads": 1}
        if kind.pixels == "yuv420p":
            to |= {"dst_colorspace": _BT709, "dst_color_range": _LIMITED, "dst_color_trc": _BT709}
            to |= {"dst_color_primaries": _BT709}
        for frame in rgb:
            yield frame.reformat(**to)


def _paletted(footage: Footage, frames: Iterator[Any]) -> Iterator[Any]:
    """One palette for the whole film, from frames all over it, and a fixed dither pattern that does not crawl."""
    av, count = pyav(), len(footage.times)
    graph, size = av.filter.Graph(), footage.picture(0).shape
    base = {"width": size[1], "height": size[0], "format": "rgb24", "time_base": Fraction(1, 100)}
    collect = [graph.add_buffer(**base), graph.add("palettegen", "stats_mode=full:reserve_transparent=0")]
    collect.append(graph.add("buffersink"))
    for a, b in pairwise(collect):
        a.link_to(b)
    graph.configure()
    for step in range(min(count, _PALETTE_FRAMES)):
        sample = av.VideoFrame.from_ndarray(
            footage.picture(step * count // min(count, _PALETTE_FRAMES)), format="rgb24"
        )
        sample.pts, sample.time_base = step, Fraction(1, 100)
        collect[0].push(sample)
    collect[0].push(None)
    palette = collect[2].pull()
    # FFmpeg's filter remembers every color it met: begun anew now and then, it does not grow with the film.
    for first in frames:
        yield from _colored(chain([first], islice(frames, _REMEMBERED - 1)), base, palette)


def _colored(frames: Iterator[Any], base: dict[str, Any], palette: Any) -> Iterator[Any]:
    """RGB frames in the colors of ``palette``."""
    av = pyav()
    graph = av.filter.Graph()
    source, colors = (
        graph.add_buffer(**base),
        graph.add_buffer(width=16, height=16, format=palette.format.name, time_base=Fraction(1, 100)),
    )
    use, sink = (
        graph.add("paletteuse", "dither=bayer:bayer_scale=3:diff_mode=rectangle"),
        graph.add("buffersink"),
    )
    source.link_to(use, 0, 0)
    colors.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    palette.pts = 0
    colors.push(palette)
    colors.push(None)
    for index, frame in enumerate(frames):
        frame.pts, frame.time_base = index, Fraction(1, 100)
        source.push(frame)
        with contextlib.suppress(av.error.BlockingIOError):
            while True:
                yield sink.pull()
    source.push(None)
    with contextlib.suppress(av.error.EOFError, av.error.BlockingIOError):
        while True:
            yield sink.pull()


def _prepared(picture: Array, kind: Format) -> Array:
    height, width = picture.shape[:2]
    if kind.codec != "libx264" or (height % 2, width % 2) == (0, 0):
        return picture
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _folder(
    path: Path, footage: Footage, until: Fraction, text: str | None, listen: Callable[[int], None]
) -> None:
    path.mkdir()
    try:
        for index in range(len(footage.times)):
            Image.fromarray(footage.picture(index)).save(path / f"{index:06}.png")
            listen(index)
        values = {"times": [float(time) for time in footage.times], "until": float(until), "text": text}
        (path / metadata.FOLDER_RECORD).write_text(json.dumps(values), "utf-8")
    except BaseException:
        shutil.rmtree(path)
        raise


def is_film_folder(path: Path) -> bool:
    """Whether :func:`write_film` made the folder ``path`` and nothing else is in it, so that it may be replaced."""
    try:
        frames = len(json.loads((path / metadata.FOLDER_RECORD).read_text("utf-8"))["times"])
        there = {each.name for each in path.iterdir()}
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return there <= {metadata.FOLDER_RECORD, *(f"{index:06}.png" for index in range(frames))}


def _rename_folder(temporary: Path, path: Path, overwrite: bool) -> None:
    try:
        if path.is_dir() and overwrite and is_film_folder(path):
            shutil.rmtree(path)
        if path.is_dir():
            path.rmdir()
        elif path.exists():
            raise FileExistsError(errno.EEXIST, "exists")
        os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary)
        raise
