"""Lines of JSON between the server and its child processes, and what a child may use of the machine."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
from typing import Any

LONGEST = 1 << 25
"""Bytes of the longest line: a Record may have a million characters."""


class Pipe:
    """A child's side: commands come from standard input, answers go to what was standard output.

    Standard output itself becomes standard error, so that a library that prints cannot break a line. When the server
    is gone, standard input ends, and the process with it: no orphan goes on dreaming.
    """

    def __init__(self) -> None:
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self.inbox: queue.Queue[dict[str, Any]] = queue.Queue()

    def listen(self) -> None:
        """Begin to read commands in a thread of their own."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(Exception):
            for line in sys.stdin.buffer:
                self.receive(json.loads(line))
        os._exit(0)

    def receive(self, message: dict[str, Any]) -> None:
        """Take a command; a subclass looks at the urgent ones here, in the reading thread."""
        self.inbox.put(message)

    def send(self, **values: Any) -> None:
        """Send one line to the server; where that is gone, so is this process."""
        try:
            with self._lock:
                self._out.write(json.dumps(values, separators=(",", ":")) + "\n")
                self._out.flush()
        except OSError:
            os._exit(0)


def limit_memory(more: int) -> None:
    """Let this process address at most ``more`` bytes beyond its present ones, where the system knows such limits."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm") as file:
            present = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (present + more, present + more))
