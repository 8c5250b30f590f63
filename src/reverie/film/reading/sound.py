"""The sound of a Clip on its way into another file: its packets as they are, or encoded anew where they do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from reverie.film.ffmpeg import pyav
from reverie.film.reading.clip import Clip


@dataclass(frozen=True)
class TimeSpan:
    """The sound of ``clip`` from ``start`` until before ``stop`` (None: its end), in seconds of the clip."""

    clip: Clip
    start: Fraction = Fraction(0)
    stop: Fraction | None = None


class Track:
    """Sound that is muxed while the pictures are, so that neither waits in memory for the other.

    ``accepted`` are the codecs that the container takes as they are; others become ``fallback``. ``notes`` says so.
    """

    def __init__(self, span: TimeSpan, output: Any, accepted: tuple[str, ...], fallback: str) -> None:
        self.notes, self._span, self._output = list[str](), span, output
        self._opened = span.clip.opened()
        self._container, _ = self._opened.__enter__()
        self._copied: dict[int, Any] = {}
        self._encoded: dict[int, Any] = {}
        self._last: dict[int, int] = {}
        for stream in self._container.streams.audio:
            name = stream.codec_context.name if stream.codec_context else "an unknown codec"
            if "any" in accepted or name in accepted:
                self._copied[stream.index] = output.add_stream_from_template(stream)
            elif stream.codec_context:
                made = output.add_stream(fallback, rate=48_000)
                made.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
                made.bit_rate = 192_000
                self._encoded[stream.index] = made
                self.notes.append(
                    f"The sound is {name}, which this format does not hold; it became {fallback}."
                )
            else:
                self.notes.append("A sound track has a codec that this PyAV cannot read; it was left out.")
        self._pending = self._packets()
        self._next = next(self._pending, None)

    def until(self, time: Fraction | None) -> None:
        """Mux what is heard before ``time``, in seconds of the film; everything for None."""
        while self._next is not None and (time is None or self._next[0] < time):
            self._output.mux(self._next[1])
            self._next = next(self._pending, None)

    def close(self) -> None:
        """Let go of the clip's file."""
        self._opened.__exit__(None, None, None)

    def _packets(self) -> Iterator[tuple[Fraction, Any]]:
        streams = [
            each for each in self._container.streams.audio if each.index in self._copied | self._encoded
        ]
        if not streams:
            return
        error, packets = pyav().error.FFmpegError, self._container.demux(streams)
        while True:
            try:
                packet = next(packets, None)
            except error:
                packet = None
            if packet is None:
                break
            if packet.stream.index in self._encoded:
                yield from self._recoded(packet)
            elif packet.size and packet.pts is not None:
                yield from self._moved(packet)
        for stream in self._encoded.values():
            for each in stream.encode(None):
                yield each.pts * Fraction(each.time_base), each

    def _moved(self, packet: Any) -> Iterator[tuple[Fraction, Any]]:
        base = Fraction(packet.time_base)
        time = packet.pts * base - self._span.clip.zero
        if not self._within(time):
            return
        shift = round((self._span.clip.zero + self._span.start) / base)
        packet.pts -= shift
        if not packet.duration:  # else MP4 says that the last packet lasts no time, and readers leave it out
            packet.duration = max(packet.pts - self._last.get(packet.stream.index, packet.pts), 0)
        self._last[packet.stream.index] = packet.pts
        packet.dts = packet.pts if packet.dts is None else packet.dts - shift
        packet.stream = self._copied[packet.stream.index]
        yield time - self._span.start, packet

    def _recoded(self, packet: Any) -> Iterator[tuple[Fraction, Any]]:
        stream = self._encoded[packet.stream.index]
        try:
            frames = packet.decode()
        except pyav().error.FFmpegError:
            return
        for frame in frames:
            time = (frame.pts or 0) * Fraction(frame.time_base) - self._span.clip.zero
            if self._within(time):
                frame.pts = round((time - self._span.start) / Fraction(frame.time_base))
                for each in stream.encode(frame):
                    yield each.pts * Fraction(each.time_base), each

    def _within(self, time: Fraction) -> bool:
        # A whole clip keeps what lies before its zero: the first packet of AAC is meant to.
        begun = time >= self._span.start or not self._span.start
        return begun and (self._span.stop is None or time < self._span.stop)
