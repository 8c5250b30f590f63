"""The process that dreams: one job at a time, and small previews between its steps. Run as ``python -m``.

It works in the studio's folder through the public calls of Reverie, with names of files relative to that folder. The
command line, run there with equal settings, writes equal bytes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import reverie
from reverie import files, zoo
from reverie.errors import InputError, ReverieError
from reverie.files import Photo
from reverie.jobs.checkpoint import Checkpoint, differences
from reverie.jobs.job import NOISE_SIZE, Job
from reverie.loop.render import Frame
from reverie.pixels.ops import fitted_size, resize, unit
from reverie.recipe import Recipe, record
from reverie.studio.files import identity
from reverie.studio.pipe import Pipe
from reverie.studio.reader import read_facts, write_thumb
from reverie.zoo.fetch import listening

HIDDEN = Path(".studio")
LIVE_SIDE = 720
"""Long side of the pictures that one watches a dream in."""
THUMB_SIDE = 480
LIVE_EVERY = 0.12
"""Seconds between two live pictures at least."""
CHECKPOINT_EVERY = 10.0
"""Seconds of work that a kill may cost: a checkpoint is written at the end of an octave once so many have passed."""
SMALL = 640
"""Long side that previews keep of a source."""


class _Stopped(Exception):
    """The job was cancelled; ``keep`` where its picture of this moment is wanted."""

    def __init__(self, keep: bool = False) -> None:
        super().__init__()
        self.keep = keep


class _Dropped(Exception):
    """The preview is not wanted any more."""


class Worker(Pipe):
    """What the server said last: which job to stop, which preview to drop, whether to hold."""

    def __init__(self) -> None:
        super().__init__()
        self.stop: dict[str, bool] = {}
        self.dropped: set[str] = set()
        self.paused = False
        self._photos: dict[str, Photo] = {}

    def receive(self, message: dict[str, Any]) -> None:
        """Note what is urgent at once, and queue the rest."""
        command = message.get("command")
        if command in ("cancel", "keep"):
            self.stop[str(message["job"])] = command == "keep"
        elif command == "drop":
            self.dropped.add(str(message["key"]))
        elif command == "pause":
            self.paused = bool(message["paused"])
        self.inbox.put(message)

    def work(self) -> None:
        """Do what comes, for ever."""
        self.send(type="ready")
        while True:
            message = self.inbox.get()
            if message["command"] == "run":
                self._run(message)
            elif message["command"] == "preview":
                self._preview(message)

    # jobs ----------------------------------------------------------------------------------------------------------

    def _run(self, message: dict[str, Any]) -> None:
        job, spec = str(message["job"]), message["spec"]
        try:
            with listening(self._telling(job)):
                if spec["kind"] == "fetch":
                    written = self._fetch(spec)
                elif spec["kind"] == "dream":
                    written = self._dream(job, spec, Path(message["target"]), bool(message["again"]))
                else:
                    written = self._film(job, spec, Path(message["target"]))
            self.send(type="done", job=job, files=written)
        except _Stopped:
            self.send(type="cancelled", job=job)
        except ReverieError as error:
            self.send(type="failed", job=job, message=str(error))
        except Exception as error:
            traceback.print_exc()
            self.send(type="failed", job=job, message=_sentence(error))
        finally:
            self.stop.pop(job, None)

    def _telling(self, job: str) -> Any:
        told: dict[str, float] = {}

        def listen(what: str, done: int, total: int) -> None:
            now = time.monotonic()
            if done < total and now - told.get(what, 0.0) < 0.5:
                return
            told[what] = now
            share = f" {done / 2**20:.0f} of {total / 2**20:.0f} MB" if total else ""
            self.send(type="note", job=job, text=f"{what}{share}")

        return listen

    def _fetch(self, spec: dict[str, Any]) -> list[dict[str, Any]]:
        zoo.fetched(spec["recipe"]["network"])
        return []

    def _dream(self, job: str, spec: dict[str, Any], target: Path, again: bool) -> list[dict[str, Any]]:
        made = reverie.job(
            spec["source"], recipe=Recipe.of(spec["recipe"]), preview=spec["preview"], **spec["run"]
        )
        count = made.record.recipe.count
        targets = (
            [target]
            if count == 1
            else [target.with_stem(f"{target.stem}-{at}") for at in range(1, count + 1)]
        )
        if again and all(_done(each, made) for each in targets):
            return [_described(each) for each in targets]
        for each in targets:
            files.check_writable(each, False, made.plan.size, made.record.depth)
        for note in made.notes:
            self.send(type="note", job=job, text=note)
        checkpoint = Checkpoint(HIDDEN / "checkpoints" / f"{job}.checkpoint", made.record, CHECKPOINT_EVERY)
        live, pace, frame = _Live(job), _Pace(made), None
        for frame in self._frames(made, checkpoint):
            self.send(
                type="step",
                job=job,
                **pace.at(frame),
                picture=live.seen(frame.image[:1], frame.handed is not None),
            )
            if not frame.last:
                self._between(job, made, frame)
        assert frame is not None
        if job in self.stop:
            raise _Stopped
        if made.unchanged(frame):
            self.send(
                type="note", job=job, text="Nothing changed: the objective does not answer to this picture."
            )
        for picture, file in zip(made.pictures(frame), targets, strict=True):
            if not _done(file, made):  # of a batch some may have been written before a kill
                picture.save(file)
        checkpoint.remove()
        found = [_described(each) for each in targets]
        for each, picture in zip(targets, made.pictures(frame), strict=True):
            write_thumb(picture.pixels, HIDDEN / "thumbs" / f"{identity(each.name)}.webp", THUMB_SIDE)
        return found

    def _frames(self, made: Job, checkpoint: Checkpoint) -> Iterator[Frame]:
        """The steps from the last checkpoint on; from the beginning where that is of no use."""
        try:
            checkpoint.found()
        except InputError:
            checkpoint.path.unlink(missing_ok=True)
        with torch.inference_mode(False):
            yield from made.frames(checkpoint)

    def _between(self, job: str, made: Job | None, frame: Frame | None) -> None:
        """Between two steps: previews that somebody waits for, a pause, the wish to stop."""
        while True:
            self._urgent()
            if job in self.stop:
                if self.stop[job] and made is not None and frame is not None:
                    self._keep(job, made, frame)
                raise _Stopped
            if not self.paused:
                return
            time.sleep(0.05)

    def _urgent(self) -> None:
        """Make what previews the server asked for meanwhile; keep other commands for later."""
        later = []
        while not self.inbox.empty():
            message = self.inbox.get()
            if message["command"] == "preview":
                self._preview(message)
            elif message["command"] == "run":
                later.append(message)
        for message in later:
            self.inbox.put(message)

    def _keep(self, job: str, made: Job, frame: Frame) -> None:
        """Save the picture of this moment among the sources."""
        picture = made.picture(frame)
        name = f"sources/step-{frame.index + 1}-{job[:8]}.png"
        pixels = picture.pixels
        if pixels.shape[-2:] != tuple(made.plan.size):
            pixels = resize(pixels, made.plan.size).clamp(0, 1)
        files.save(name, pixels, overwrite=True)
        self.send(type="kept", job=job, name=name, width=pixels.shape[-1], height=pixels.shape[-2])
        raise _Stopped

    def _film(self, job: str, spec: dict[str, Any], target: Path) -> list[dict[str, Any]]:
        from reverie.film import shooting

        settings = shooting.SETTINGS[spec["kind"]].of(**spec["film"])
        recipe = Recipe.of(spec["recipe"])
        made = shooting.make_film(
            spec["kind"], spec["source"], settings, recipe=recipe, preview=spec["preview"], **spec["run"]
        )
        if target.exists():  # written just before a kill
            return [_described(target)]
        for note in made.notes:
            self.send(type="note", job=job, text=note)
        begun, live = time.monotonic(), _Live(job)
        reel = shooting.reel_of(target)
        height, width = made.job.plan.size

        def listen(shot: Any) -> None:
            frame = _still(reel / f"{shot.index:06}.png")
            picture = live.seen(frame, shot.index + 1 >= shot.total) if frame is not None else None
            done = shot.index + 1 - shot.again
            left = (time.monotonic() - begun) / done * (shot.total - shot.index - 1)
            self.send(
                type="step",
                job=job,
                index=shot.index,
                total=shot.total,
                octave=0,
                octaves=1,
                step=shot.index,
                steps=shot.total,
                score=0.0,
                left=round(left, 1),
                width=width,
                height=height,
                picture=picture,
            )
            self._between(job, None, None)

        try:
            shooting.shoot(
                made, target, on_shot=listen, on_note=lambda text: self.send(type="note", job=job, text=text)
            )
        except _Stopped:
            shutil.rmtree(reel, ignore_errors=True)
            raise
        found = _described(target)
        found |= {"width": width, "height": height}
        if live.last is not None:
            write_thumb(live.last, HIDDEN / "thumbs" / f"{identity(target.name)}.webp", THUMB_SIDE)
        return [found]

    # previews ------------------------------------------------------------------------------------------------------

    def _preview(self, message: dict[str, Any]) -> None:
        key, spec = str(message["key"]), message["spec"]
        threads = torch.get_num_threads()
        try:
            self._small(key, spec)
            self.send(type="preview", key=key)
        except _Dropped:
            self.send(type="preview", key=key, dropped=True)
        except ReverieError as error:
            self.send(type="preview", key=key, error=str(error))
        except Exception as error:
            traceback.print_exc()
            self.send(type="preview", key=key, error=_sentence(error))
        finally:
            torch.set_num_threads(threads)  # a job goes on with those it began with
            self.dropped.discard(key)

    def _small(self, key: str, spec: dict[str, Any]) -> None:
        side = int(spec["film"]["side"])
        recipe = Recipe.of(spec["recipe"], {"count": 1})
        source = None if spec["source"] is None else self._photo(spec["source"])
        size = _small_size(recipe, source, side)
        given = {file: (self._photo(file),) for _, file in recipe.files()}
        recipe = Recipe.of(recipe.model_dump(exclude_unset=True), {"size": f"{size[1]}x{size[0]}"})
        run = {name: value for name, value in spec["run"].items() if name == "precision"}
        wanted = (
            None
            if source is None
            else source.pixels[0]
            if source.pixels.is_floating_point()
            else source.pixels
        )
        made = reverie.job(wanted, recipe=recipe, pictures=given, **run)
        path, shown = HIDDEN / "previews" / f"{key}.webp", time.monotonic()
        with torch.inference_mode(False):
            for frame in made.frames():
                if key in self.dropped:
                    raise _Dropped
                if not frame.last and time.monotonic() - shown > 0.4:
                    shown = time.monotonic()
                    write_thumb(
                        frame.image[:1].detach().float().cpu(), path.with_suffix(".partial.webp"), side
                    )
                    self.send(type="preview", key=key, partial=True, index=frame.index, total=frame.total)
        write_thumb(made.picture(frame).pixels, path, side)
        path.with_suffix(".partial.webp").unlink(missing_ok=True)

    def _photo(self, name: str) -> Photo:
        """A picture of the folder, small, as previews need it; the last few stay in memory."""
        mark = f"{name} {os.stat(name).st_mtime_ns}"
        if mark not in self._photos:
            photo = files.load(name)
            size = (photo.pixels.shape[-2], photo.pixels.shape[-1])
            pixels = unit(photo.pixels)
            if max(size) > SMALL:
                pixels = resize(photo.pixels, fitted_size(size, SMALL)).clamp(0, 1)
            while len(self._photos) >= 6:
                self._photos.pop(next(iter(self._photos)))
            self._photos[mark] = replace(photo, pixels=pixels, alpha=None)
        return self._photos[mark]


class _Live:
    """Small pictures of a job on its way, numbered, as files; the last few are kept."""

    def __init__(self, job: str) -> None:
        self.folder = HIDDEN / "live" / job
        self.folder.mkdir(parents=True, exist_ok=True)
        self.number = max((int(each.stem) for each in self.folder.glob("*.webp")), default=0)
        self.time = 0.0
        self.last: torch.Tensor | None = None

    def seen(self, pixels: torch.Tensor, must: bool) -> int | None:
        """Write the picture if it is time for one, or if it ``must`` be; gives its number, or None."""
        now = time.monotonic()
        if now - self.time < LIVE_EVERY and not must:
            return None
        self.time, self.number, self.last = now, self.number + 1, pixels.detach().float().cpu()
        write_thumb(self.last, self.folder / f"{self.number}.webp", LIVE_SIDE)
        (self.folder / f"{self.number - 12}.webp").unlink(missing_ok=True)
        return self.number


class _Pace:
    """Where a dream is, and how long it will take: steps of a large octave take longer, so time is told in pixels."""

    def __init__(self, made: Job) -> None:
        self._octaves = [(octave.size[0] * octave.size[1], octave.steps) for octave in made.plan.octaves]
        self._all = sum(pixels * steps for pixels, steps in self._octaves)
        self._begun: tuple[float, float] | None = None

    def at(self, frame: Frame) -> dict[str, Any]:
        """What the page is told of a step."""
        before = sum(pixels * steps for pixels, steps in self._octaves[: frame.octave])
        done = before + self._octaves[frame.octave][0] * (frame.step + 1)
        now = time.monotonic()
        begun, at = self._begun = self._begun or (now, done)
        left = (now - begun) / (done - at) * (self._all - done) if done > at else None
        height, width = frame.image.shape[-2:]
        return {
            "index": frame.index,
            "total": frame.total,
            "octave": frame.octave,
            "octaves": frame.octaves,
            "step": frame.step,
            "steps": frame.steps,
            "score": round(frame.score.mean().item(), 6),
            "left": None if left is None else round(left, 1),
            "width": width,
            "height": height,
        }


def _small_size(recipe: Recipe, source: Photo | None, side: int) -> tuple[int, int]:
    """(height, width) of a preview with that long side, in the shape that the picture will have."""
    shape = recipe.shape()
    if isinstance(shape, tuple):
        whole = shape
    elif source is not None:
        whole = (source.pixels.shape[-2], source.pixels.shape[-1])
    else:
        whole = NOISE_SIZE
    height, width = fitted_size(whole, side)
    return max(32, height), max(32, width)


def _done(target: Path, made: Job) -> bool:
    """Whether the picture lies there already, whole and of this job."""
    if not target.is_file():
        return False
    try:
        found = record.parse_record(files.read_text(target), target)
    except InputError:
        return False
    return not set(differences(made.record, found)) - {"part"}


def _described(path: Path) -> dict[str, Any]:
    """A result as the index takes it."""

    found = read_facts([path.name])["found"][0] or {}
    return {"name": path.name, "width": 0, "height": 0, **found}


def _still(path: Path) -> torch.Tensor | None:
    with contextlib.suppress(InputError):
        return unit(files.load(path).pixels)
    return None


def _sentence(error: Exception) -> str:
    if (
        isinstance(error, MemoryError)
        or "allocate memory" in str(error)
        or "out of memory" in str(error).lower()
    ):
        return "The memory does not suffice; make the picture smaller."
    return f"This is a bug of ours ({type(error).__name__}: {error}); the file worker.log has the details."


def run_worker() -> None:
    """Work until the server is gone."""
    worker = Worker()
    with contextlib.suppress(AttributeError, OSError):
        os.nice(5)  # the page must answer while a dream has all cores
    worker.listen()
    worker.work()


if __name__ == "__main__":
    run_worker()
