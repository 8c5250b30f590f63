"""A server on this machine's own address that misbehaves as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """``ways`` maps a path to how each request in turn is answered; the last way holds for the rest.

    whole, truncated (half of what the header promises), endless (no length, half), stalled (half, then
    silence), slow (whole, in 0.5 s), reset (nothing at all), a status such as "404", or other bytes.
    """

    content: bytes
    address: str = ""
    ways: dict[str, list[str | bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, name: str, *ways: str | bytes) -> str:
        """The address of a file that is answered in these ways."""
        self.ways[f"/{name}"] = list(ways)
        return f"{self.address}/{name}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        ways = self.ways.get(handler.path, ["404"])
        way = ways.pop(0) if len(ways) > 1 else ways[0]
        if way == "reset":
            return
        if isinstance(way, str) and way.isdecimal():
            handler.send_error(int(way))
            return
        body = way if isinstance(way, bytes) else self.content
        handler.send_response(200)
        if way != "endless":
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        half = len(body) // 2
        handler.wfile.write(body[:half])
        if way == "slow":
            self.over.wait(0.5)
        if way == "stalled":
            handler.wfile.flush()
            self.over.wait(30)
        if way not in ("truncated", "endless", "stalled"):
            handler.wfile.write(body[half:])


@contextmanager
def serving(content: bytes) -> Iterator[Server]:
    """A running :class:`Server`."""
    state = Server(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):
                state.answer(self)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
