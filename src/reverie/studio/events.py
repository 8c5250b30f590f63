"""What happened, in order: a ring of numbered events that every open page reads, also after it was cut off."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

EVENTS_KEPT = 20_000
"""Events kept for a page that comes back; one that missed more loads its state anew."""

HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent, so that a dead connection is noticed."""


class Events:
    """A numbered log of events in memory. Numbers begin anew with each server, which ``epoch`` tells apart."""

    def __init__(self, kept: int = EVENTS_KEPT) -> None:
        self.epoch = secrets.token_hex(4)
        self.last = 0
        self._ring: deque[tuple[int, str]] = deque(maxlen=kept)
        self._waiting: set[asyncio.Event] = set()
        self._closed = False

    def tell(self, kind: str, **values: Any) -> None:
        """Add an event of that kind; every reader gets it."""
        self.last += 1
        self._ring.append((self.last, json.dumps({"type": kind, **values}, separators=(",", ":"))))
        self._wake()

    def close(self) -> None:
        """End all readers, because the server stops."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for waiting in self._waiting:
            waiting.set()

    def since(self, seen: str | None) -> tuple[int, bool]:
        """The number after which a reader goes on, and whether it missed events that are gone.

        ``seen`` is the id of the last event it saw, ``EPOCH-NUMBER``, or None for a reader that begins.
        """
        if not seen:
            return self.last, False
        epoch, _, number = seen.partition("-")
        oldest = self._ring[0][0] if self._ring else self.last + 1
        if epoch != self.epoch or not number.isdecimal() or not oldest - 1 <= int(number) <= self.last:
            return self.last, True
        return int(number), False

    async def stream(self, seen: str | None) -> AsyncIterator[str]:
        """The events behind ``seen`` as text of a ``text/event-stream``, and then all that follow."""
        at, missed = self.since(seen)
        kind = "reset" if missed else "hello"
        yield f"id: {self.epoch}-{at}\ndata: {json.dumps({'type': kind})}\n\n"
        waiting = asyncio.Event()
        self._waiting.add(waiting)
        try:
            while not self._closed:
                waiting.clear()
                if self._ring and self._ring[0][0] > at + 1:  # so slow a reader that the ring has passed it
                    at = self.last
                    yield f"id: {self.epoch}-{at}\ndata: {json.dumps({'type': 'reset'})}\n\n"
                for number, text in self._behind(at):
                    yield f"id: {self.epoch}-{number}\ndata: {text}\n\n"
                    at = number
                try:
                    await asyncio.wait_for(waiting.wait(), HEARTBEAT)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._waiting.discard(waiting)

    def _behind(self, at: int) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        for number, text in reversed(self._ring):
            if number <= at:
                break
            found.append((number, text))
        return found[::-1]
