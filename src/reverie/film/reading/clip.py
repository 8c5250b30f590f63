"""Films read: a Clip is what a video file shows, upright, in square pixels and RGB, every frame exactly once."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor

from reverie.errors import InputError
from reverie.files.writing import PathLike
from reverie.film.ffmpeg import pyav
from reverie.film.reading import color
from reverie.film.reading.deinterlace import deinterlaced
from reverie.pixels import tone
from reverie.pixels.ops import Size

_STILLS = ("image2", "tty", "_pipe")  # demuxers of pictures and of text, which FFmpeg takes for videos
_SEEK = 10  # seconds into a file from which on it is worth looking for a key frame
_HDR = {tone.PQ: "PQ", tone.HLG: "HLG"}


@dataclass(frozen=True)
class Timing:
    """When the frames of a file are shown, read off its packets: ``count`` of them, at ``fps`` a second on average
    (``variable`` where they are not alike), the last one gone at ``end``, in seconds."""

    count: int
    fps: Fraction
    variable: bool
    end: Fraction


class Clip:
    """A video file: its facts, and its frames.

    ``size`` is (height, width) in pixels as shown: after rotation, in square pixels. ``fps`` is the average rate,
    ``variable`` says whether frames are unevenly spaced, ``count`` how many there should be, ``duration`` how many
    seconds they last. ``zero`` is the time in the file that counts as 0, ``time_base`` the tick of its times, in
    seconds; ``sound`` has the codec of each audio stream, ``notes`` a sentence for each oddity; it grows while frames
    are read. Raises :class:`InputError` for whatever is no video that can be read, :class:`MissingError` without
    PyAV. Example: ``Clip("holiday.mp4").fps``.
    """

    def __init__(self, path: PathLike) -> None:
        self.path, self.notes = Path(path), list[str]()
        with self.opened() as (container, stream):
            self.sound = tuple(
                each.codec_context.name for each in container.streams.audio if each.codec_context
            )
            self.time_base = Fraction(stream.time_base or Fraction(1, 90_000))
            # An AVI stores no times; what FFmpeg makes up for its reordered frames is not in order.
            self._counted = container.format.name == "avi"
            self.zero = Fraction(container.start_time or 0, 1_000_000)
            self.timing = self._timed(container, stream)
        self.count, self.fps, self.variable = self.timing.count, self.timing.fps, self.timing.variable
        with self.opened() as (container, stream):
            first = next(self._decoded(container, stream), None)
            if first is None:
                raise InputError(f"{self.path} holds no frames that can be read; copy or download it again.")
            aspect = Fraction(stream.sample_aspect_ratio or 1)
            self.size: Size = self._shown(first, aspect)
            self.duration = self.timing.end - self._time(first, 0)
            self._remark(first)

    def digest(self) -> str:
        """The SHA-256 of the file, in hex."""
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def frames(
        self, start: Fraction | float = 0, stop: Fraction | float | None = None, skip: int = 0
    ) -> Iterator[tuple[Fraction, Tensor]]:
        """The frames shown from ``start`` until before ``stop``, in seconds of the file, without the first ``skip``.

        Yields (seconds since ``start``, image [1, 3, H, W] float32 in 0..1, RGB). Times rise strictly, and every
        frame that the decoder gives comes exactly once, those it holds back to the end too. What is damaged is left
        out and noted. Memory does not grow with the length.
        """
        start = Fraction(start)
        for time, develop in self._exposed(start, None if stop is None else Fraction(stop), skip):
            yield time - start, develop()

    def undeveloped(self) -> Iterator[tuple[Fraction, Callable[[], Tensor]]]:
        """All of :meth:`frames`, each as what makes its image: for those who pass most of them over."""
        yield from self._exposed(Fraction(0), None, 0)

    def _exposed(
        self, start: Fraction, stop: Fraction | None, skip: int
    ) -> Iterator[tuple[Fraction, Callable[[], Tensor]]]:
        last, index, seen = Fraction(-1), 0, 0
        with self.opened() as (container, stream):
            for frame in self._from(container, stream, start):
                time = max(self._time(frame, index), last + self.time_base if index else last)
                last, index = time, index + 1
                if time < start:
                    continue
                if stop is not None and time >= stop:
                    return
                seen += 1
                if seen > skip:
                    yield time, partial(color.developed, frame, self.size)
        if not start and stop is None and index < self.count:
            note = (
                f"{self.path.name} is damaged or cut short: {index} of its {self.count} frames could be read."
            )
            self.notes += [] if note in self.notes else [note]

    def expected(self, start: Fraction | float = 0, stop: Fraction | float | None = None) -> int:
        """About how many frames :meth:`frames` will give; for a progress bar."""
        until = self.duration if stop is None else min(Fraction(stop), self.duration)
        share = (until - Fraction(start)) / self.duration if self.duration else Fraction(1)
        return max(math.ceil(share * self.count), 0)

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[Any, Any]]:
        """The container and its video stream, and whatever FFmpeg throws as one sentence."""
        av, path = pyav(), self.path
        if not os.path.exists(path):
            raise InputError(f"{path} does not exist; check its name and folder.")
        if not path.is_file():
            raise InputError(f"{path} is {'a folder' if path.is_dir() else 'no file'}; name a video file.")
        if not path.stat().st_size:
            raise InputError(f"{path} is empty; copy or download it again.")
        try:
            # No playlist may make us read another file or ask a server.
            container = av.open(
                f"file:{path}", container_options={"protocol_whitelist": "file"}, metadata_errors="ignore"
            )
        except PermissionError:
            raise InputError(f"{path} may not be read; change its permissions.") from None
        except (av.error.FFmpegError, OSError, ValueError):
            raise InputError(
                f"{path} is no video that can be read, or is cut short; give an MP4, MOV, WebM, ..."
            ) from None
        with container:
            if container.format.name.endswith(_STILLS):
                raise InputError(
                    f"{path} is no video; 'reverie dream' and 'reverie film zoom' take pictures."
                )
            shown = [each for each in container.streams.video if not _is_cover(each)]
            if not shown:
                what = "holds sound only" if container.streams.audio else "holds no video"
                raise InputError(f"{path} {what}; give a file with moving pictures.")
            stream = shown[0]
            if stream.codec_context is None:
                raise InputError(
                    f"{path} has a video codec that this PyAV cannot read; convert it to H.264 first."
                )
            try:
                yield container, stream
            except av.error.FFmpegError as error:
                raise InputError(
                    f"{path} cannot be read ({error.strerror}); copy or download it again."
                ) from None

    def _timed(self, container: Any, stream: Any) -> Timing:
        """Count and times of the frames without decoding one."""
        times, ends, rate = list[int](), [0], Fraction(stream.average_rate or stream.guessed_rate or 25)
        tick, count = self.time_base, 0
        with contextlib.suppress(pyav().error.FFmpegError):
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    count += 1
                    if packet.pts is not None:
                        times.append(packet.pts)
                        ends.append(packet.pts + (packet.duration or 0))
        if self._counted or len(times) < max(count, 2):
            return Timing(count, rate, False, count / rate)
        times.sort()
        gaps = [b - a for a, b in pairwise(times)]
        # A constant rate in coarse ticks, as WebM's milliseconds, wavers by one of them.
        variable = (max(gaps) - min(gaps)) * tick > max(2 * tick, Fraction(1, 1000))
        mean = (len(times) - 1) / ((times[-1] - times[0]) * tick) if times[-1] > times[0] else rate
        rate = mean.limit_denominator(1001) if variable or abs(mean / rate - 1) > Fraction(1, 100) else rate
        last = max(*ends, times[-1] + (0 if ends[-1] > times[-1] else gaps[-1]))
        return Timing(count, rate, variable, last * tick - self.zero)

    def _from(self, container: Any, stream: Any, start: Fraction) -> Iterator[Any]:
        """Decoded frames from some frame before ``start`` on; from the first one where seeking does not find one."""
        if start > _SEEK and not self._counted:
            with contextlib.suppress(pyav().error.FFmpegError):
                container.seek(int((start - _SEEK / 2 + self.zero) / self.time_base), stream=stream)
                decoded = self._decoded(container, stream)
                first = next(decoded, None)
                if first is not None and first.pts is not None and self._time(first, 0) <= start:
                    yield first
                    yield from decoded
                    return
            container.seek(0)
        yield from self._decoded(container, stream)

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        return deinterlaced(self._plain(container, stream))

    def _plain(self, container: Any, stream: Any) -> Iterator[Any]:
        errors, packets = pyav().error.FFmpegError, container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except errors:  # the file ends in rubbish; what the decoder holds back still counts
                packet = None
            frames: list[Any] = []
            # One bad packet must not cost the frames after it.
            with contextlib.suppress(errors):
                frames = stream.codec_context.decode(None) if packet is None else packet.decode()
            yield from frames
            if packet is None:
                return

    def _time(self, frame: Any, index: int) -> Fraction:
        if self._counted or frame.pts is None:
            return index / self.fps
        return Fraction(frame.pts) * Fraction(frame.time_base or self.time_base) - self.zero

    def _shown(self, frame: Any, aspect: Fraction) -> Size:
        height, width = frame.height, frame.width
        # The side that is too short grows, so that no pixel is lost.
        height, width = (height, round(width * aspect)) if aspect > 1 else (round(height / aspect), width)
        return (width, height) if color.orientation(frame)[0] else (height, width)

    def _remark(self, frame: Any) -> None:
        name = self.path.name
        if color.has_alpha(frame) and frame.reformat(format="rgba").to_ndarray()[..., 3].min() < 255:
            self.notes.append(f"{name} is transparent in places; it is dreamt over black.")
        if getattr(frame, "color_trc", 0) in _HDR:
            kind = _HDR[frame.color_trc]
            self.notes.append(f"{name} is HDR ({kind}); its brightness is brought into what BT.709 shows.")


def _is_cover(stream: Any) -> bool:
    """Whether a stream is the cover of a piece of music, which demuxers call video."""
    return bool(stream.disposition & pyav().stream.Disposition.attached_pic)
