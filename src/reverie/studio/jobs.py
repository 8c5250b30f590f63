"""The queue: the server owns it, a worker process does one job at a time, and nothing depends on an open page.

``queued -> running -> done | failed | cancelled``. A job whose worker or server died is ``interrupted``; it goes on
from its checkpoint by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import shutil
import time
from asyncio.subprocess import Process
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reverie.errors import InputError, UsageError
from reverie.studio import wishes
from reverie.studio.child import ended, kill, lines, started, tell
from reverie.studio.events import Events
from reverie.studio.files import Places
from reverie.studio.store import Store
from reverie.studio.wishes import Spec

CANCEL_PATIENCE = 0.8
"""Seconds that a cancelled job has to stop by itself; then its worker is replaced."""
MOST_DEATHS = 3
"""So often a job may take its worker down before it counts as failed."""
MOST_JOBS = 2000
"""Jobs that may wait at one time."""
_SHOWN = (
    "id",
    "kind",
    "title",
    "state",
    "place",
    "created",
    "begun",
    "ended",
    "wish",
    "grouping",
    "progress",
    "results",
    "error",
    "notes",
    "target",
)


class Queue:
    """Jobs and previews on their way through one worker process."""

    def __init__(self, places: Places, store: Store, events: Events) -> None:
        self.places, self.store, self.events = places, store, events
        self.paused = bool(store.fact("paused", False))
        self._worker: Process | None = None
        self._ready = False
        self._running: str | None = None
        self._cancelling: dict[str, asyncio.Task[None]] = {}
        self._wanted: dict[str, list[tuple[str, Spec, bool]]] = {}
        self._preview: str | None = None
        self._failed_previews: dict[str, str] = {}
        self._closing = False
        self._deaths: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._written_at = 0.0
        self._scores: list[float] = []
        self.live: dict[str, Any] = {}

    # the worker ----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take up what an earlier server left, and start the worker."""
        for job in self.store.jobs(0):
            if job["state"] == "running":
                self.store.change_job(job["id"], state="interrupted")
        await self._hire()

    @property
    def pid(self) -> int | None:
        """The number of the worker's process."""
        return self._worker.pid if self._worker is not None and self._worker.returncode is None else None

    async def _hire(self) -> None:
        if self._closing:
            return
        self._ready, self._preview = False, None
        log = self.places.hidden / "worker.log"
        process = await started("reverie.studio.worker", self.places.folder, log)
        self._worker = process
        self._spawn(self._follow(process))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, process: Process) -> None:
        def take(message: dict[str, Any]) -> None:
            if process is self._worker:
                self._take(message)

        with contextlib.suppress(ValueError, OSError):  # a line of no end is as good as a death
            await lines(process, take)
        kill(process)
        await process.wait()
        if process is self._worker and not self._closing:
            await self._lost()

    async def _lost(self) -> None:
        """The worker died: its job goes on with the next one, unless it takes every worker down."""
        if self._preview is not None:
            self._failed_previews[self._preview] = "This cannot be shown: the worker died over it."
            self.events.tell("preview", key=self._preview, error=self._failed_previews[self._preview])
        if (job := self._running) is not None:
            self._running = None
            self._interrupt(job)
        now = time.monotonic()
        self._deaths = [each for each in self._deaths if now - each < 60] + [now]
        if len(self._deaths) > 5:
            await asyncio.sleep(min(30.0, 2.0 ** (len(self._deaths) - 5)))
        await self._hire()

    def _interrupt(self, job: str) -> None:
        found = self.store.job(job)
        if found is None or found["state"] != "running":
            return
        attempts = found["attempts"] + 1
        if attempts >= MOST_DEATHS:
            sentence = (
                "The worker process died over this job three times; it may need more memory than there is. "
                "Make the picture smaller, then repeat it."
            )
            self._end(job, "failed", error=sentence, attempts=attempts)
            return
        self.store.change_job(job, state="interrupted", attempts=attempts)
        self._told(job)

    def _replace(self) -> None:
        """Kill the worker, and hire another at once."""
        old, self._worker = self._worker, None
        self._ready, self._preview = False, None
        kill(old)
        self._spawn(self._hire())

    async def close(self) -> None:
        """End the worker; what runs is interrupted and goes on with the next server."""
        self._closing = True
        await ended(self._worker)
        if self._running is not None:
            self.store.change_job(self._running, state="interrupted")
        for task in [*self._tasks, *self._cancelling.values()]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # what the worker says ------------------------------------------------------------------------------------------

    def _take(self, message: dict[str, Any]) -> None:
        kind = message.pop("type", "")
        if kind == "ready":
            self._ready = True
            self._next()
        elif kind == "preview":
            self._shown(message)
        elif message.get("job") == self._running:
            job = str(message.pop("job"))
            handler = getattr(self, f"_on_{kind}", None)
            if handler is not None:
                handler(job, message)

    def _on_step(self, job: str, step: dict[str, Any]) -> None:
        now = time.monotonic()
        # A step of a small picture takes milliseconds: the file need not know each, only the open pages do.
        if now - self._written_at > 1.0 or step["index"] + 1 >= step["total"]:
            self._written_at = now
            self.store.change_job(job, progress=step)
        self._scores.append(step["score"])
        self.live = {"job": job, **step}
        self.events.tell("step", job=job, **step)

    def _on_note(self, job: str, message: dict[str, Any]) -> None:
        found = self.store.job(job)
        if found is not None and message["text"] not in found["notes"]:
            self.store.change_job(job, notes=[*found["notes"], message["text"]][-20:])
        self.events.tell("note", job=job, text=message["text"])

    def _on_done(self, job: str, message: dict[str, Any]) -> None:
        results = [self._result(job, each) for each in message.get("files", ())]
        self._end(job, "done", results=results, scores=_thinned(self._scores))

    def _on_failed(self, job: str, message: dict[str, Any]) -> None:
        self._end(job, "failed", error=message["message"])

    def _on_cancelled(self, job: str, message: dict[str, Any]) -> None:
        self._end(job, "cancelled")

    def _on_kept(self, job: str, message: dict[str, Any]) -> None:
        """The worker stopped and left the picture of that moment as a source."""
        asset = self.store.add_asset(
            message["name"], "source", "a dream on its way", width=message["width"], height=message["height"]
        )
        self._end(job, "cancelled", results=[{"asset": asset["id"]}])

    def _result(self, job: str, file: dict[str, Any]) -> dict[str, Any]:
        found = self.store.job(job)
        preset = (found["spec"].get("preset") or "").removeprefix("own:") if found else ""
        identity = self.store.add_picture(file["name"], file, job, preset or None)
        self.events.tell("picture", id=identity)
        return {"picture": identity, "width": file["width"], "height": file["height"], "name": file["name"]}

    def _end(self, job: str, state: str, **values: Any) -> None:
        if (task := self._cancelling.pop(job, None)) is not None:
            task.cancel()
        self.store.change_job(job, state=state, ended=time.time(), **values)
        if self._running == job:
            self._running = None
        self._told(job)
        self._next()

    def _told(self, job: str) -> None:
        if (found := self.store.job(job)) is not None:
            self.events.tell("job", job=self.view(found))

    # what people want ----------------------------------------------------------------------------------------------

    def add(self, asked: Sequence[object], grouping: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Put wishes at the end of the queue, all or none; gives the jobs. Raises what a wish is refused for."""
        if not 1 <= len(asked) <= MOST_JOBS:
            raise UsageError(f"From 1 to {MOST_JOBS} dreams can be asked for at a time.")
        waiting = self.store.waiting()
        if waiting + len(asked) > MOST_JOBS:
            raise UsageError(f"The queue holds {MOST_JOBS} jobs at most; let some of them finish first.")
        group = None if grouping is None else {**grouping, "id": secrets.token_hex(8)}
        jobs = []
        for values in asked:
            wish = wishes.read(values)
            spec = wishes.ready(wish, self.store.file, self.places.presets)
            jobs.append(self._job(spec, wish.model_dump(mode="json"), group))
        self.store.add_jobs(jobs)
        found = [self.store.job(each["id"]) for each in jobs]
        for each in jobs:
            self._told(each["id"])
        self._next()
        return [self.view(each) for each in found if each is not None]

    def add_fetch(self, network: str) -> dict[str, Any]:
        """Put the fetching of a network's weights into the queue."""
        spec = Spec(kind="fetch", source=None, recipe={"network": network})
        job = self._job(spec, {"kind": "fetch", "settings": {"network": network}}, None)
        self.store.add_jobs([{**job, "title": f"weights of {network}", "target": ""}])
        self._told(job["id"])
        self._next()
        found = self.store.job(job["id"])
        assert found is not None
        return self.view(found)

    def _job(self, spec: Spec, wish: dict[str, Any], group: Mapping[str, Any] | None) -> dict[str, Any]:
        identity = secrets.token_hex(8)
        suffix = ".png" if spec.kind == "dream" else ".mp4"
        target = wishes.stem(spec, identity) + suffix
        return {
            "id": identity,
            "kind": spec.kind,
            "title": wishes.title(spec),
            "wish": wish,
            "spec": spec.model_dump(mode="json"),
            "target": target,
            "grouping": dict(group) if group else None,
        }

    def cancel(self, job: str, keep: bool = False) -> None:
        """Cancel one job, running or waiting; with ``keep`` the picture of this moment becomes a source."""
        found = self._found(job)
        if found["state"] in ("queued", "interrupted") and job != self._running:
            self._end(job, "cancelled")
        elif job == self._running and self._worker is not None and job not in self._cancelling:
            tell(self._worker, command="keep" if keep else "cancel", job=job)
            patience = 60.0 if keep else CANCEL_PATIENCE
            self._cancelling[job] = asyncio.get_running_loop().create_task(self._insist(job, patience))

    async def _insist(self, job: str, patience: float) -> None:
        await asyncio.sleep(patience)
        if self._running == job:
            self._cancelling.pop(job, None)
            self._replace()
            self._end(job, "cancelled")

    def repeat(self, job: str) -> dict[str, Any]:
        """The same wish once more, as a new job."""
        return self.add([self._found(job)["wish"]])[0]

    def resume(self, job: str) -> None:
        """Let a job that was cancelled, or that failed, go on from its checkpoint."""
        if self._found(job)["state"] in ("cancelled", "failed"):
            self.store.change_job(job, state="interrupted", attempts=0, error=None, ended=None)
            self._told(job)
            self._next()

    def move(self, job: str, before: str | None) -> None:
        """Move a waiting job before another one, or to the end of the queue."""
        if self._found(job)["state"] in ("queued", "interrupted"):
            self.store.reorder(job, before)
            self.events.tell("queue", paused=self.paused, order=self.store.order())

    def pause(self, paused: bool) -> None:
        """Hold the queue, and what runs between two steps, or let both go on."""
        self.paused = paused
        self.store.keep("paused", paused)
        if self._worker is not None:
            tell(self._worker, command="pause", paused=paused)
        self.events.tell("queue", paused=paused, order=self.store.order())
        self._next()

    def _found(self, job: str) -> dict[str, Any]:
        if (found := self.store.job(job)) is None:
            raise InputError("There is no such job any more.")
        return found

    def view(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """A job as the page sees it."""
        found = {name: job[name] for name in _SHOWN}
        if job["id"] == self._running and "index" in self.live:
            found["progress"] = self.live
        return found

    def scores(self, job: str) -> list[float]:
        """The score of every step so far."""
        if job == self._running:
            return _thinned(self._scores)
        return list(self._found(job)["scores"] or ())

    # previews ------------------------------------------------------------------------------------------------------

    def want(self, scope: str, asked: Iterable[tuple[object, int, bool]]) -> list[dict[str, Any]]:
        """What a page wants to see now, most urgent first, instead of all it wanted before in that ``scope``.

        Each is a wish, a long side in pixels, and whether it can wait until no job runs. Gives, for each, the key under
        which its picture is or will be, whether it is there, and what is wrong with it.
        """
        wanted, answers = [], []
        for values, side, patient in asked:
            try:
                wish = wishes.read(values)
                spec = wishes.ready(wish, self.store.file, self.places.presets)
            except (UsageError, InputError) as error:
                answers.append({"key": None, "ready": False, "error": str(error)})
                continue
            spec = spec.model_copy(update={"film": {"side": side}, "kind": "preview"})
            key = hashlib.sha256(spec.model_dump_json().encode()).hexdigest()[:24]
            ready = (self.places.part("previews") / f"{key}.webp").exists()
            answers.append({"key": key, "ready": ready, "error": self._failed_previews.get(key)})
            if not ready and key not in self._failed_previews:
                wanted.append((key, spec, patient))
        if wanted:
            self._wanted.pop(scope, None)
            self._wanted[scope] = wanted
        else:
            self._wanted.pop(scope, None)
        still = {key for each in self._wanted.values() for key, _, _ in each}
        if self._preview is not None and self._preview not in still and self._worker is not None:
            tell(self._worker, command="drop", key=self._preview)
        self._next()
        return answers

    def leave(self, page: str) -> None:
        """A page is gone: nobody wants its previews any more."""
        for scope in [each for each in self._wanted if each.partition(":")[0] == page]:
            self.want(scope, [])

    def _shown(self, message: dict[str, Any]) -> None:
        key = str(message["key"])
        if not message.get("partial"):
            self._preview = None
            for scope, wanted in list(self._wanted.items()):
                if not message.get("dropped"):
                    self._wanted[scope] = [each for each in wanted if each[0] != key]
            if error := message.get("error"):
                self._failed_previews[key] = str(error)
        if not message.get("dropped"):
            self.events.tell("preview", **message)
        if not message.get("partial"):
            self._next()

    # what comes next -----------------------------------------------------------------------------------------------

    def _next(self) -> None:
        """Give the worker what it should do now: a job, or a preview, which it makes between the steps of a job."""
        if not self._ready or self._worker is None or self._closing:
            return
        if self._running is None and not self.paused and (job := self.store.next_job()) is not None:
            self._begin(job)
        if self._preview is None and (found := self._most_wanted()) is not None:
            key, spec, _ = found
            self._preview = key
            tell(self._worker, command="preview", key=key, spec=spec.model_dump(mode="json"))

    def _most_wanted(self) -> tuple[str, Spec, bool] | None:
        busy = self._running is not None and not self.paused
        # What was asked for last is what somebody looks at.
        every = [each for wanted in reversed(self._wanted.values()) for each in wanted]
        urgent = next((each for each in every if not each[2]), None)
        return urgent or (None if busy else next(iter(every), None))

    def _begin(self, job: dict[str, Any]) -> None:
        assert self._worker is not None
        # A page may still ask for the last pictures of the job before.
        for each in self.places.part("live").iterdir():
            if each.name not in (job["id"], self.live.get("job")):
                shutil.rmtree(each, ignore_errors=True)
        self._running, self._scores, self._written_at = job["id"], [], 0.0
        self.live = {"job": job["id"]}
        self.store.change_job(job["id"], state="running", begun=job["begun"] or time.time())
        tell(
            self._worker,
            command="run",
            job=job["id"],
            spec=job["spec"],
            target=job["target"],
            again=job["state"] == "interrupted",
        )
        self._told(job["id"])


def _thinned(scores: list[float], most: int = 600) -> list[float]:
    """At most so many of the scores, evenly taken, the last one among them."""
    step = -(-len(scores) // most) if scores else 1
    return scores[::-1][::step][::-1]
