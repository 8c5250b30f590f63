"""The studio's server: pages, routes, and the life of queue, index and reader. It never imports torch.

Every route names things by opaque ids; none takes a path or an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
from collections.abc import AsyncIterator, Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from filelock import FileLock, Timeout
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from reverie import __version__
from reverie.errors import InputError, MissingError, OutputError, ReverieError, UsageError
from reverie.studio import catalog, schema
from reverie.studio.files import Places
from reverie.studio.parts import assembled
from reverie.studio.routes.gallery import gallery_router
from reverie.studio.routes.jobs import jobs_router
from reverie.studio.routes.pictures import pictures_router
from reverie.studio.safety import Guard
from reverie.zoo import automatic

_STATUS = {UsageError: 422, InputError: 404, MissingError: 424, OutputError: 507}


def locked(folder: Path) -> FileLock:
    """The lock that a running studio holds on its folder; :class:`UsageError` where another one holds it."""
    places = Places(folder.resolve())
    try:
        places.make()
        lock = FileLock(places.hidden / "lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(
            f"Another studio works in {folder} already; use that one, or name another folder."
        ) from None
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be used as the studio's folder ({error.strerror}); name another."
        ) from None
    return lock


def create_app(folder: Path, hosts: Iterable[str] = (), token: str = "") -> FastAPI:
    """The web application of a studio in ``folder``.

    ``hosts`` are names beside the loopback ones under which it may be reached. ``token``, where it is not empty, is
    asked of every browser.
    """
    made = assembled(folder)

    @contextlib.asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await made.queue.open()
        await made.reader.warm()
        indexing = asyncio.create_task(made.gallery.refresh())
        yield
        made.events.close()
        indexing.cancel()
        await asyncio.gather(indexing, return_exceptions=True)
        await made.queue.close()
        await made.reader.close()
        made.store.close()

    app = FastAPI(title="Reverie studio", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)
    app.state.studio = made
    app.add_middleware(Guard, hosts=tuple(hosts), token=token)
    app.add_exception_handler(ReverieError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _missing)
    for part in (jobs_router, pictures_router, gallery_router):
        app.include_router(part)
    _pages(app)

    @app.get("/api/hello")
    async def hello() -> dict[str, Any]:
        return {
            "version": __version__,
            "folder": made.places.folder.name,
            "schema": schema.whole_form(),
            "presets": catalog.preset_list(made.places.presets),
            "networks": catalog.network_list(),
            "automatic": automatic(),
            "paused": made.queue.paused,
            "jobs": [made.queue.view(each) for each in made.store.jobs(60)],
            "event": f"{made.events.epoch}-{made.events.last}",
        }

    return app


def _pages(app: FastAPI) -> None:
    """The page and its modules, read once; a name that is not among them is not there, whatever it looks like."""
    root = resources.files("reverie.studio").joinpath("static")
    files = dict(_walk(root, ""))

    def answer(name: str) -> Response:
        if name not in files:
            raise HTTPException(404)
        kind = (
            "text/javascript"
            if name.endswith(".js")
            else mimetypes.guess_type(name)[0] or "application/octet-stream"
        )
        return Response(files[name], media_type=kind, headers={"cache-control": "no-cache"})

    @app.get("/")
    async def page() -> Response:
        return answer("index.html")

    @app.get("/static/{name:path}")
    async def static(name: str) -> Response:
        return answer(name)


def _walk(folder: Any, prefix: str) -> Iterable[tuple[str, bytes]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _walk(each, f"{prefix}{each.name}/")
        else:
            yield f"{prefix}{each.name}", each.read_bytes()


async def _refused(_request: Request, error: Exception) -> Response:
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    return JSONResponse({"error": str(error)}, status)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
    return JSONResponse({"error": f"{where or 'The request'}: {first['msg']}."}, 422)


async def _missing(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return JSONResponse({"error": "There is nothing here by this name."}, status)
