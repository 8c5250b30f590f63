"""Routes of the gallery: search, settings of a picture, notes on it, bin."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException

from reverie.errors import UsageError
from reverie.studio.routes.bodies import json_of, studio_of

gallery_router = APIRouter()
MOST = 200
"""Pictures on a page of answers."""


@gallery_router.get("/api/pictures")
async def search(
    request: Request,
    words: str = "",
    offset: int = 0,
    limit: int = 60,
    preset: str = "",
    network: str = "",
    kind: str = "",
    tags: str = "",
    collections: str = "",
    since: float | None = None,
    until: float | None = None,
    rating: int | None = None,
    side: int | None = None,
    order: str = "newest",
    bin: int = 0,
) -> dict[str, Any]:
    """A page of the pictures that fit."""
    made = studio_of(request)
    await made.gallery.refresh()
    asked = {
        "words": words,
        "preset": preset,
        "network": network,
        "kind": kind,
        "tags": tags,
        "collections": collections,
        "since": since,
        "until": until,
        "rating": rating,
        "side": side,
        "order": order,
        "bin": bool(bin),
    }
    found, total = made.store.pictures(asked, max(1, min(MOST, limit)), max(0, offset))
    return {"pictures": found, "total": total, "indexing": made.gallery.indexing}


@gallery_router.get("/api/facets")
async def facets(request: Request) -> dict[str, Any]:
    return studio_of(request).store.facets()


@gallery_router.get("/api/pictures/{identity}")
async def get_picture(request: Request, identity: str) -> dict[str, Any]:
    """A picture with its settings, and what makes it again."""
    found = studio_of(request).gallery.details(identity)
    if found is None:
        raise HTTPException(404)
    return found


@gallery_router.patch("/api/pictures/{identity}")
async def annotate(request: Request, identity: str) -> dict[str, Any]:
    """Rate, tag, or put into collections."""
    asked, given = await json_of(request), dict[str, Any]()
    if "rating" in asked:
        if not isinstance(asked["rating"], int) or not 0 <= asked["rating"] <= 5:
            raise UsageError("A rating is a whole number from 0 to 5.")
        given["rating"] = asked["rating"]
    for name in ("tags", "collections"):
        if name in asked:
            if not isinstance(asked[name], list) or len(asked[name]) > 50:
                raise UsageError(f"The {name} are a list of words.")
            cleaned = [" ".join(str(each).replace(",", " ").split())[:40].lower() for each in asked[name]]
            given[name] = ",".join(sorted({each for each in cleaned if each}))
    if given:
        studio_of(request).store.annotate(identity, **given)
    return given


@gallery_router.post("/api/bin")
async def to_bin(request: Request) -> dict[str, Any]:
    """Move pictures into the bin, or out of it, or empty it."""
    made, asked = studio_of(request), await json_of(request)
    if asked.get("empty"):
        return {"emptied": made.store.empty_bin()}
    given = asked.get("delete", asked.get("restore"))
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given) or len(given) > 1000:
        raise UsageError("The request has no list of pictures.")
    done = made.store.bin(given) if "delete" in asked else made.store.restore(given)
    made.events.tell("gallery")
    return {"done": done}
