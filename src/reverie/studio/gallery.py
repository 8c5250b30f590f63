"""Files of the studio, as people see them: dropped pictures, thumbnails, the index of the folder, settings."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reverie.errors import InputError, ReverieError
from reverie.recipe import Recipe
from reverie.studio import schema, wishes
from reverie.studio.child import Reader
from reverie.studio.events import Events
from reverie.studio.files import FILMS, Places, file_slug
from reverie.studio.store import Store

_FRESH = 3.0
"""Seconds for which the folder is not looked through again."""
_BATCH = 100


class Gallery:
    """The pictures of a studio; whatever is decoded is decoded by the ``reader``."""

    def __init__(self, places: Places, store: Store, reader: Reader, events: Events) -> None:
        self.places, self.store, self.reader, self.events = places, store, reader, events
        self.indexing = 0
        self._looked = 0.0
        self._turn = asyncio.Lock()
        self._defaults = Recipe.of().model_dump(mode="json")
        self._labels = {each["name"]: each["label"] for each in schema.form(Recipe)}

    # the index -----------------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Bring the index up to date with the folder: files that somebody else put there, or took away."""
        if time.monotonic() - self._looked < _FRESH or self._turn.locked():
            return
        async with self._turn:
            new, gone = await asyncio.to_thread(self.store.strange_files)
            self.store.forget_pictures(gone)
            # The few newest ones at once; of many the rest while people look at the first.
            await self._index(new[:_BATCH])
            self._looked = time.monotonic()
        if len(new) > _BATCH or self.store.strange_assets():
            self._task = asyncio.create_task(self._index_rest(new[_BATCH:]))

    async def _index_rest(self, new: list[str]) -> None:
        async with self._turn:
            for at in range(0, len(new), _BATCH):
                self.indexing = len(new) - at
                await self._index(new[at : at + _BATCH])
            self.indexing = 0
            for name in self.store.strange_assets():
                with contextlib.suppress(ReverieError, OSError):
                    seen = (await self.reader.ask(task="peek", names=[name]))["found"][0]
                    if seen is not None:
                        kind = (
                            "clip"
                            if Path(name).suffix.lower() in FILMS
                            else "mask"
                            if "/mask-" in name
                            else "source"
                        )
                        self.store.add_asset(
                            name, kind, Path(name).stem, width=seen["width"], height=seen["height"]
                        )
            self._looked = time.monotonic()
        if new:
            self.events.tell("gallery")

    async def _index(self, names: list[str]) -> None:
        if not names:
            return
        try:
            found = (await self.reader.ask(120.0, task="peek", names=names))["found"]
        except InputError:  # one of them brought the reader down: each by itself
            found = []
            for name in names:
                try:
                    found += (await self.reader.ask(task="peek", names=[name]))["found"]
                except InputError:
                    found.append(None)
        for name, seen in zip(names, found, strict=True):
            with contextlib.suppress(OSError, ValueError):
                self.store.add_picture(name, seen or {})

    # what is dropped -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """A path for an upload, gone afterwards."""
        path = self.places.part("incoming") / secrets.token_hex(8)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    async def take(self, path: Path, kind: str, title: str) -> dict[str, Any]:
        """Make a source, guide, mask or clip of an uploaded file; equal pictures are kept once."""
        if kind == "clip":
            return await self._take_clip(path, title)
        with self.incoming() as out:
            made = out.with_suffix(".png")
            try:
                task = "mask" if kind == "mask" else "clean"
                seen = await self.reader.ask(task=task, path=str(path), out=str(made))
                if kind == "mask" and seen.get("empty"):
                    raise InputError(
                        "The mask is black all over: nothing would be dreamt; paint where it should be."
                    )
                asset = self._keep(made, kind, title, seen)
            finally:
                made.unlink(missing_ok=True)
        found = {**self.shown(asset), "notes": seen.get("notes", [])}
        if seen.get("record"):
            found["dream"] = self.settings(seen["record"])
        return found

    async def _take_clip(self, path: Path, title: str) -> dict[str, Any]:
        suffix = Path(title).suffix.lower()
        if suffix not in FILMS:
            raise InputError(f"The studio takes videos as {' '.join(FILMS)}; convert it first.")
        clip = path.with_suffix(suffix)
        path.replace(clip)
        with self.incoming() as out:
            try:
                seen = await self.reader.ask(60.0, task="clip", path=str(clip), out=str(out))
                asset = self._keep(clip, "clip", title, seen)
                out.replace(self._thumb(asset["id"]))
            finally:
                clip.unlink(missing_ok=True)
        return self.shown(asset)

    def _keep(self, file: Path, kind: str, title: str, seen: Mapping[str, Any]) -> dict[str, Any]:
        with open(file, "rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        stem = "mask" if kind == "mask" else file_slug(Path(title).stem)
        name = f"sources/{stem}-{digest[:8]}{file.suffix}"
        shutil.move(file, self.places.folder / name)
        shown = " ".join(Path(title).name.split())[:100] or "picture"
        more = {"seconds": seen["seconds"]} if "seconds" in seen else {}
        return self.store.add_asset(name, kind, shown, width=seen["width"], height=seen["height"], **more)

    async def edited(self, identity: str, turns: int, crop: list[float] | None) -> dict[str, Any]:
        """A turned or cropped copy of a picture."""
        name = self._name(identity)
        with self.incoming() as out:
            made = out.with_suffix(".png")
            try:
                seen = await self.reader.ask(task="edit", path=name, out=str(made), turns=turns, crop=crop)
                stem = Path(name).stem.rpartition("-")[0] or Path(name).stem
                asset = self._keep(made, "source", f"{stem}.png", seen)
            finally:
                made.unlink(missing_ok=True)
        return self.shown(asset)

    def shown(self, asset: Mapping[str, Any]) -> dict[str, Any]:
        """An asset as the page sees it."""
        names = ("id", "kind", "title", "width", "height", "seconds")
        return {name: asset.get(name) for name in names}

    def known(self, identity: str) -> dict[str, Any] | None:
        """A source or a picture as the page sees it; None for an id that nothing has."""
        if (asset := self.store.asset(identity)) is not None:
            return self.shown(asset)
        picture = self.store.picture(identity)
        return None if picture is None else self.shown({**picture, "title": picture["name"]})

    def _name(self, identity: str) -> str:
        if (name := self.store.file(identity)) is None:
            raise InputError("This picture is not in the studio any more.")
        return name

    # what is shown -------------------------------------------------------------------------------------------------

    def _thumb(self, identity: str) -> Path:
        return self.places.part("thumbs") / f"{identity}.webp"

    async def view(self, identity: str, side: int) -> Path:
        """The path of a WebP of that picture, made where it is missing."""
        known = self.store.picture(identity)
        if known is not None and known["binned"] is not None:
            name = str(self.places.part("bin") / identity)
        else:
            name = self._name(identity)
        if Path(name).suffix.lower() in FILMS:
            side = 480
        path = self._thumb(identity) if side == 480 else self.places.part("views") / f"{identity}-{side}.webp"
        if not path.is_file() or path.stat().st_mtime < (self.places.folder / name).stat().st_mtime - 1:
            await self.reader.ask(60.0, task="view", path=name, out=str(path), side=side)
        return path

    async def plain(self, identity: str) -> Path:
        """The path of a PNG of the pixels alone."""
        path = self.places.part("views") / f"{identity}-plain.png"
        await self.reader.ask(60.0, task="clean", path=self._name(identity), out=str(path), text=False)
        return path

    # settings ------------------------------------------------------------------------------------------------------

    def details(self, identity: str) -> dict[str, Any] | None:
        """A picture with its settings and what makes it again; None for an id that nothing has."""
        picture = self.store.picture(identity)
        if picture is None:
            return None
        found = {
            name: picture[name]
            for name in (
                "id",
                "name",
                "kind",
                "width",
                "height",
                "bytes",
                "created",
                "preset",
                "network",
                "rating",
                "job",
            )
        }
        found |= {
            name: [each for each in picture[name].split(",") if each] for name in ("tags", "collections")
        }
        found["binned"] = picture["binned"] is not None
        if picture["record"]:
            found["dream"] = self.settings(picture["record"])
            found |= self._again(picture, found["dream"])
        return found

    def settings(self, record: str) -> dict[str, Any]:
        """The settings in a Record: as a wish to load, and as rows of a table with what differs from the defaults."""
        try:
            wish = wishes.of_record(record, self.store.by_content)
        except (ReverieError, ValueError, RecursionError, TypeError, AttributeError) as error:
            sentence = (
                str(error)
                if isinstance(error, ReverieError)
                else "The Record in this picture cannot be read."
            )
            return {"wish": None, "rows": [], "notes": [sentence]}
        rows = [
            {
                "name": name,
                "label": self._labels.get(name, name),
                "value": value,
                "default": self._defaults.get(name),
            }
            for name, value in wish["settings"].items()
        ]
        rows += [
            {"name": f"film.{name}", "label": name.replace("_", " "), "value": value, "default": None}
            for name, value in (wish["film"] or {}).items()
            if value not in (None, [], False)
        ]
        notes = wish.pop("notes")
        return {"wish": wish, "rows": rows, "notes": notes}

    def _again(self, picture: Mapping[str, Any], dream: Mapping[str, Any]) -> dict[str, str]:
        """The command line and the Python that make a picture: with all settings where its pictures are here."""
        folder, name = self.places.folder, str(picture["name"])
        replay = f"cd {schema.shell_quoted(str(folder))} && reverie replay {schema.shell_quoted(name)}"
        job = self.store.job(picture["job"]) if picture["job"] else None
        spec = None
        if job is not None:
            spec = wishes.Spec.model_validate(job["spec"])
        elif dream["wish"] is not None and not dream["notes"]:
            with contextlib.suppress(ReverieError):
                spec = wishes.ready(wishes.read(dream["wish"]), self.store.file, self.places.presets)
        if spec is None:
            return {"command": replay, "python": "", "replay": replay}
        return {
            "command": wishes.command(spec, folder, name),
            "python": wishes.python(spec, folder, name),
            "replay": replay,
        }
