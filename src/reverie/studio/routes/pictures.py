"""Routes of files: what is dropped on the page, and what the page is shown and given of files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from reverie.errors import InputError, UsageError
from reverie.studio.files import FILMS, PLAYED, file_slug
from reverie.studio.routes.bodies import json_of, received, studio_of
from reverie.studio.safety import attachment

pictures_router = APIRouter()
LARGEST_PICTURE = 100 << 20
LARGEST_CLIP = 1 << 30
SIDES = (160, 480, 1600, 0)
"""Long sides in pixels in which the page may ask for a picture; 0 is as large as it is."""
_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}


@pictures_router.post("/api/assets")
async def upload(request: Request, kind: str = "source", name: str = "picture") -> dict[str, Any]:
    """Take a dropped file, which is the body. Gives what it is and, for a dream of Reverie's, its settings."""
    if kind not in ("source", "guide", "mask", "clip"):
        raise UsageError("A file is a source, a guide, a mask or a clip.")
    most = LARGEST_CLIP if kind == "clip" else LARGEST_PICTURE
    gallery = studio_of(request).gallery
    with gallery.incoming() as path:
        await received(request, path, most)
        return await gallery.take(path, kind, unquote(name)[:200])


@pictures_router.get("/api/assets")
async def assets(request: Request, kind: str | None = None) -> dict[str, Any]:
    """The newest files that were dropped."""
    made = studio_of(request)
    return {"assets": [made.gallery.shown(each) for each in made.store.assets(kind)]}


@pictures_router.get("/api/files/{identity}")
async def get_file(request: Request, identity: str) -> dict[str, Any]:
    """What a source or a picture is."""
    found = studio_of(request).gallery.known(identity)
    if found is None:
        raise HTTPException(404)
    return found


@pictures_router.post("/api/files/{identity}/edit")
async def edit_picture(request: Request, identity: str) -> dict[str, Any]:
    """A turned or cropped copy of a picture, as a new source."""
    asked = await json_of(request)
    turns, crop = asked.get("turns", 0), asked.get("crop")
    if not isinstance(turns, int) or isinstance(turns, bool) or not -3 <= turns <= 3:
        raise UsageError("A picture is turned by -3 to 3 quarters.")
    if crop is not None:
        if (
            not isinstance(crop, list)
            or len(crop) != 4
            or not all(isinstance(each, int | float) and 0 <= each <= 1 for each in crop)
            or min(crop[2:]) <= 0
        ):
            raise UsageError("A crop is left, top, width and height, as shares of the picture.")
        crop = [float(each) for each in crop]
    return await studio_of(request).gallery.edited(identity, turns, crop)


@pictures_router.get("/api/files/{identity}/view/{side}")
async def get_view(request: Request, identity: str, side: int) -> Response:
    """A picture, or a film's first frame, made anew as WebP: no byte of the file itself reaches the page."""
    if side not in SIDES:
        raise HTTPException(404)
    path = await studio_of(request).gallery.view(identity, side)
    return FileResponse(
        path, media_type="image/webp", headers=_FOREVER if "v" in request.query_params else None
    )


@pictures_router.get("/api/files/{identity}/film")
async def play_film(request: Request, identity: str) -> Response:
    """A film, to be played in the page."""
    made = studio_of(request)
    name = made.store.file(identity)
    suffix = Path(name or "").suffix.lower()
    if name is None or suffix not in PLAYED:
        raise HTTPException(404)
    return FileResponse(
        made.places.folder / name, media_type=PLAYED[suffix], headers={"content-disposition": "inline"}
    )


@pictures_router.get("/api/files/{identity}/download")
async def download(request: Request, identity: str, metadata: int = 1) -> Response:
    """The file itself as an attachment, or its pixels alone."""
    made = studio_of(request)
    name = made.store.file(identity)
    if name is None:
        raise HTTPException(404)
    stem, suffix = file_slug(Path(name).stem, 100), re.sub(r"[^a-z0-9.]", "", Path(name).suffix.lower())
    if metadata:
        headers = attachment(stem + suffix)
        return FileResponse(made.places.folder / name, media_type="application/octet-stream", headers=headers)
    if suffix in FILMS:
        raise InputError("A film is given with its settings alone.")
    path = await made.gallery.plain(identity)
    return FileResponse(path, media_type="application/octet-stream", headers=attachment(f"{stem}.png"))
