"""Routes of the queue: events, jobs, previews, and what an objective or a preset means."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response, StreamingResponse

from reverie.errors import UsageError
from reverie.recipe import AUTO
from reverie.studio import catalog, presets, wishes
from reverie.studio.routes.bodies import json_of, studio_of
from reverie.zoo import NETWORKS, automatic, entry

jobs_router = APIRouter()
GONE = 5.0
"""Seconds after which a page that lost its events counts as left."""
_open_pages: dict[str, int] = {}


@jobs_router.get("/api/events")
async def events(request: Request, since: str | None = None, page: str = "") -> Response:
    """The stream of events, from the last one that the page saw."""
    made = studio_of(request)
    seen = request.headers.get("last-event-id") or since

    async def told() -> AsyncIterator[str]:
        _open_pages[page] = _open_pages.get(page, 0) + 1
        try:
            async for text in made.events.stream(seen):
                yield text
        finally:
            _open_pages[page] -= 1
            loop = asyncio.get_running_loop()
            loop.call_later(GONE, lambda: None if _open_pages.get(page) else _left(page))

    def _left(page: str) -> None:
        _open_pages.pop(page, None)
        made.queue.leave(page)

    return StreamingResponse(told(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


@jobs_router.get("/api/jobs")
async def listed(request: Request, group: str | None = None) -> dict[str, Any]:
    made = studio_of(request)
    return {
        "jobs": [made.queue.view(each) for each in made.store.jobs(100, group)],
        "paused": made.queue.paused,
    }


@jobs_router.post("/api/jobs")
async def add(request: Request) -> dict[str, Any]:
    asked = await json_of(request)
    grouping = asked.get("grouping")
    if not isinstance(asked.get("wishes"), list) or not (grouping is None or isinstance(grouping, dict)):
        raise UsageError("The request has no list of wishes.")
    return {"jobs": studio_of(request).queue.add(asked["wishes"], grouping)}


@jobs_router.get("/api/jobs/{job}")
async def get_job(request: Request, job: str) -> dict[str, Any]:
    made = studio_of(request)
    found = made.store.job(job)
    if found is None:
        raise HTTPException(404)
    spec = wishes.Spec.model_validate(found["spec"])
    told = (
        {}
        if spec.kind == "fetch"
        else {
            "command": wishes.command(spec, made.places.folder, found["target"]),
            "python": wishes.python(spec, made.places.folder, found["target"]),
        }
    )
    return {**made.queue.view(found), "scores": made.queue.scores(job), **told}


@jobs_router.post("/api/jobs/{job}/{action}")
async def act(request: Request, job: str, action: str) -> dict[str, Any]:
    queue = studio_of(request).queue
    asked = await json_of(request)
    if action == "cancel":
        queue.cancel(job, keep=bool(asked.get("keep")))
    elif action == "repeat":
        return {"job": queue.repeat(job)}
    elif action == "resume":
        queue.resume(job)
    elif action == "move":
        before = asked.get("before")
        queue.move(job, before if isinstance(before, str) else None)
    else:
        raise HTTPException(404)
    return {}


@jobs_router.post("/api/queue")
async def pause(request: Request) -> dict[str, Any]:
    made, asked = studio_of(request), await json_of(request)
    if "paused" in asked:
        made.queue.pause(bool(asked["paused"]))
    if asked.get("forget"):
        made.store.forget_ended()
    return {"paused": made.queue.paused}


@jobs_router.get("/api/jobs/{job}/live/{number}")
async def live(request: Request, job: str, number: int) -> Response:
    """A picture of a job on its way; the newest one where that number is gone already."""
    if not re.fullmatch(r"[0-9a-f]{16}", job) or number < 0:
        raise HTTPException(404)
    folder = studio_of(request).places.part("live") / job
    path = folder / f"{number}.webp"
    if not path.is_file():
        there = sorted(folder.glob("*.webp"), key=lambda each: int(each.stem)) if folder.is_dir() else []
        if not there:
            raise HTTPException(404)
        path = there[-1]
    return FileResponse(path, media_type="image/webp")


@jobs_router.put("/api/previews/{scope}")
async def want(request: Request, scope: str) -> dict[str, Any]:
    """What a page wants to see now, instead of what it wanted before."""
    asked = (await json_of(request)).get("wanted")
    if not isinstance(asked, list) or len(asked) > 200 or len(scope) > 60:
        raise UsageError("The request has no list of wanted previews.")
    wanted = []
    for each in asked:
        if not isinstance(each, dict) or not isinstance(each.get("side", 0), int):
            raise UsageError("A wanted preview has a wish, and a side in pixels.")
        wanted.append((each.get("wish"), max(48, min(640, each.get("side", 224))), bool(each.get("patient"))))
    return {"previews": studio_of(request).queue.want(scope, wanted)}


@jobs_router.get("/api/previews/{key}")
async def preview(request: Request, key: str, partial: int = 0) -> Response:
    if not re.fullmatch(r"[0-9a-f]{24}", key):
        raise HTTPException(404)
    folder = studio_of(request).places.part("previews")
    path = folder / (f"{key}.partial.webp" if partial else f"{key}.webp")
    if not path.is_file() and not (path := folder / f"{key}.webp").is_file():
        raise HTTPException(404)
    return FileResponse(path, media_type="image/webp")


@jobs_router.post("/api/check")
async def check_wish(request: Request) -> dict[str, Any]:
    """What a wish would do, without doing it: its command line and Python, or one sentence why it cannot be."""
    made = studio_of(request)
    wish = wishes.read((await json_of(request)).get("wish"))
    spec = wishes.ready(wish, made.store.file, made.places.presets)
    target = wishes.stem(spec, "0" * 8)[:-9] + (".png" if spec.kind == "dream" else ".mp4")
    return {
        "command": wishes.command(spec, made.places.folder, target),
        "python": wishes.python(spec, made.places.folder, target),
    }


@jobs_router.post("/api/objective")
async def check_objective(request: Request) -> dict[str, Any]:
    """Whether an objective can be read, and if not, where in it the fault lies."""
    asked = await json_of(request)
    text, network = str(asked.get("text", ""))[:4000], _known(str(asked.get("network") or AUTO))
    if not text.strip():
        return {"ok": True}
    return await studio_of(request).reader.ask(task="check", network=network, text=text)


@jobs_router.get("/api/networks")
async def get_networks() -> dict[str, Any]:
    return {"networks": catalog.network_list()}


@jobs_router.get("/api/networks/{name}/names")
async def get_names(request: Request, name: str) -> dict[str, Any]:
    """What an objective can name in a network."""
    return await studio_of(request).reader.ask(60.0, task="names", network=_known(name))


@jobs_router.post("/api/networks/{name}/fetch")
async def fetch_network(request: Request, name: str) -> dict[str, Any]:
    """Fetch the published weights of a network of the table, as a job."""
    if not any(each["name"] == name and each["fetchable"] for each in catalog.network_list()):
        raise UsageError("There is nothing to fetch for this network.")
    return {"job": studio_of(request).queue.add_fetch(name)}


def _known(name: str) -> str:
    """The name of a network of the table; a stranger's module is never loaded here."""
    name = automatic() if name == AUTO else name
    if name.partition("@")[0] not in NETWORKS:
        raise UsageError("The studio dreams with the networks of its own table alone.")
    entry(name)
    return name


@jobs_router.get("/api/presets")
async def get_presets(request: Request) -> dict[str, Any]:
    return {"presets": catalog.preset_list(studio_of(request).places.presets)}


@jobs_router.put("/api/presets")
async def put_preset(request: Request) -> dict[str, Any]:
    made, asked = studio_of(request), await json_of(request)
    settings = asked.get("settings")
    if not isinstance(settings, dict):
        raise UsageError("A preset needs settings.")
    base = asked.get("preset")
    wish = wishes.read({"settings": settings, "preset": base})
    spec = wishes.ready(wish, made.store.file, made.places.presets)
    name = presets.save_preset(
        made.places.presets, str(asked.get("title", "")), str(asked.get("about", "")), spec.recipe
    )
    made.events.tell("presets")
    return {"name": name}


@jobs_router.delete("/api/presets/{name}")
async def delete_preset(request: Request, name: str) -> dict[str, Any]:
    made = studio_of(request)
    presets.remove_preset(made.places.presets, name)
    made.events.tell("presets")
    return {}
