"""``reverie studio``: the page to dream in, served from this machine."""

from __future__ import annotations

import importlib.util
import secrets
import socket
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from reverie.cli.output import say
from reverie.errors import MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

PORT = 8723


def studio(
    folder: Annotated[
        Path | None,
        Parameter(
            name="FOLDER", help="Where pictures and films are kept; by default 'Reverie' among your pictures."
        ),
    ] = None,
    /,
    *,
    port: Annotated[int, Parameter(help="Port to listen on, 1 to 65535.")] = PORT,
    host: Annotated[
        str, Parameter(help="Address to listen on; by default this machine alone can reach it.")
    ] = "127.0.0.1",
    allowed_host: Annotated[
        list[str] | None,
        Parameter(
            negative=(),
            help="A further name under which a browser may reach it, such as that of a proxy; may be repeated.",
        ),
    ] = None,
    no_open: Annotated[bool, Parameter(negative=(), help="Do not open the browser.")] = False,
) -> int:
    """Dream in the browser, on this machine: drop a picture, watch it dream, keep what comes out."""
    if not 1 <= port <= 65535:
        raise UsageError(f"--port must be a whole number from 1 to 65535, not {port}.")
    uvicorn = _uvicorn()
    from reverie.studio.app import create_app, locked

    place = folder if folder is not None else pictures() / "Reverie"
    with locked(place), _bound(host, port) as listening:
        local = host in ("127.0.0.1", "::1", "localhost")
        token = "" if local else secrets.token_urlsafe(24)
        hosts = [*(allowed_host or []), *([] if host in ("0.0.0.0", "::") else [host])]
        app = create_app(place, hosts, token)
        address = f"http://{_spoken(host)}:{port}/"
        say(f"the studio is at {address}{f'?token={token}' if token else ''}")
        say(f"pictures are kept in {place.resolve()}; Ctrl-C ends it and loses nothing.")
        for line in _warnings(local, hosts):
            say(line)
        config = uvicorn.Config(
            app, log_level="warning", timeout_graceful_shutdown=1, server_header=False, access_log=False
        )
        server = _server(
            uvicorn, config, None if no_open else f"{address}{f'?token={token}' if token else ''}"
        )
        server.run(sockets=[listening])
    return 0


def pictures() -> Path:
    """The user's folder for pictures."""
    from platformdirs import user_pictures_path

    return user_pictures_path()


def _uvicorn() -> Any:
    if any(importlib.util.find_spec(name) is None for name in ("fastapi", "uvicorn")):
        raise MissingError("The studio needs its extra; install it with: pip install 'reverie[studio]'.")
    import uvicorn

    return uvicorn


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
    except (OSError, UnicodeError) as error:
        found.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{host} port {port} cannot be listened on ({reason}); name another with --port."
        ) from None
    return found


def _spoken(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _warnings(local: bool, hosts: Sequence[str]) -> list[str]:
    if local and not hosts[:-1]:
        return []
    if local:
        return [
            "a proxy that makes it reachable from elsewhere must ask for a password itself, and speak TLS (https)."
        ]
    return [
        "whoever has the address with its token can use this studio; keep it secret.",
        "the connection is not encrypted: put a proxy with TLS (https) in front of it, or reach it through "
        f"'ssh -L {PORT}:localhost:{PORT}'.",
    ]


def _server(uvicorn: Any, config: Any, address: str | None) -> Any:
    class Server(uvicorn.Server):  # type: ignore[misc]
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if address is not None and self.started:
                webbrowser.open(address)

        def handle_exit(self, sig: int, frame: Any) -> None:
            # Open pages wait for events: they are let go first, so that ending does not wait for them.
            config.app.state.studio.events.close()
            super().handle_exit(sig, frame)

    return Server(config)
