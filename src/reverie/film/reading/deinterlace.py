"""Interlaced frames taken apart: each becomes one frame of its first field, the lines between filled in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from reverie.film.ffmpeg import pyav


def deinterlaced(frames: Iterable[Any]) -> Iterator[Any]:
    """Every frame of PyAV exactly once, at its time; those that say they are interlaced without combs.

    Bob Weaver's filter of FFmpeg (bwdif), which looks at the frames before and behind.
    """
    graph: _Graph | None = None
    for frame in frames:
        kind = (frame.width, frame.height, frame.format.name)
        if graph is not None and graph.kind != kind:
            yield from graph.pulled(None)
            graph = None
        if graph is None and frame.interlaced_frame:
            graph = _Graph(kind, frame)
        yield from [frame] if graph is None else graph.pulled(frame)
    if graph is not None:
        yield from graph.pulled(None)


class _Graph:
    """FFmpeg's filter for frames of one ``kind``: width, height and format."""

    def __init__(self, kind: tuple[int, int, str], frame: Any) -> None:
        self.kind, graph = kind, pyav().filter.Graph()
        width, height, name = kind
        self._source = graph.add_buffer(width=width, height=height, format=name, time_base=frame.time_base)
        self._sink = graph.add("buffersink")
        # Progressive frames among the others go through unchanged.
        woven = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
        back = graph.add("format", name)
        for one, other in pairwise((self._source, woven, back, self._sink)):
            one.link_to(other)
        graph.configure()
        self._graph = graph

    def pulled(self, frame: Any) -> Iterator[Any]:
        """What comes out once ``frame`` went in; all that is left for None."""
        self._source.push(frame)
        with contextlib.suppress(pyav().error.BlockingIOError, pyav().error.EOFError):
            while True:
                yield self._sink.pull()
