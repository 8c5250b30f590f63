"""The studio's memory: queue and index in SQLite. The files are the truth; the index is rebuilt from them.

What files cannot hold (ratings, tags, collections) is written to ``notes.json`` as well, and so outlives the database.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reverie.errors import InputError
from reverie.studio.files import FILMS, MOVING, STILLS, Places, identity, written_whole

_TABLES = """
create table if not exists jobs (
  id text primary key, kind text, title text, state text, place real, created real, begun real, ended real,
  wish text, spec text, target text, grouping text, progress text, results text, error text, attempts integer default 0,
  notes text default '[]', scores text default '[]');
create index if not exists jobs_place on jobs (state, place);
create table if not exists pictures (
  id text primary key, name text unique, kind text, width integer, height integer, bytes integer, stamp real,
  created real, preset text, network text, words text, record text, job text, binned real,
  rating integer default 0, tags text default '', collections text default '');
create index if not exists pictures_created on pictures (binned, created desc);
create table if not exists assets (
  id text primary key, name text unique, kind text, title text, sha256 text, width integer, height integer,
  bytes integer, stamp real, created real, seconds real, record text);
create index if not exists assets_content on assets (sha256);
create table if not exists facts (name text primary key, value text);
"""
_JOB_JSON = ("wish", "spec", "grouping", "progress", "results", "notes", "scores")
_SHORT = "id, kind, title, state, place, created, begun, ended, wish, target, grouping, progress, results, error, notes"
OPEN = ("queued", "running", "interrupted")
"""States of jobs that still want work."""


class Store:
    """Tables of jobs, pictures, assets and facts in one SQLite file; a damaged file is set aside and made anew."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self._path = places.hidden / "studio.sqlite"
        try:
            self._base = self._opened()
        except sqlite3.DatabaseError:
            self._path.replace(self._path.with_suffix(".damaged"))
            for each in ("-wal", "-shm"):
                self._path.with_name(self._path.name + each).unlink(missing_ok=True)
            self._base = self._opened()

    def _opened(self) -> sqlite3.Connection:
        base = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        base.row_factory = sqlite3.Row
        base.execute("pragma journal_mode=wal")
        base.execute("pragma synchronous=normal")
        base.executescript(_TABLES)
        if base.execute("pragma quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("damaged")
        return base

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    # facts ---------------------------------------------------------------------------------------------------------

    def fact(self, name: str, default: Any = None) -> Any:
        """A small value that outlives the server, such as whether the queue is paused."""
        row = self._base.execute("select value from facts where name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else default

    def keep(self, name: str, value: Any) -> None:
        """Write a fact."""
        self._base.execute("insert or replace into facts values (?, ?)", (name, json.dumps(value)))

    # jobs ----------------------------------------------------------------------------------------------------------

    def add_jobs(self, jobs: Iterable[Mapping[str, Any]]) -> None:
        """Put jobs at the end of the queue, all or none."""
        place = self._base.execute("select coalesce(max(place), 0) from jobs").fetchone()[0]
        self._base.execute("begin")
        try:
            for at, job in enumerate(jobs, 1):
                values = {**job, "state": "queued", "place": place + at, "created": time.time()}
                names = ", ".join(values)
                marks = ", ".join("?" * len(values))
                self._base.execute(f"insert into jobs ({names}) values ({marks})", _written(values))
            self._base.execute("commit")
        except BaseException:
            self._base.execute("rollback")
            raise

    def change_job(self, job: str, **values: Any) -> None:
        """Write some columns of a job."""
        names = ", ".join(f"{name} = ?" for name in values)
        self._base.execute(f"update jobs set {names} where id = ?", (*_written(values), job))

    def job(self, job: str) -> dict[str, Any] | None:
        """A job with all its columns."""
        row = self._base.execute("select * from jobs where id = ?", (job,)).fetchone()
        return _job(row) if row else None

    def jobs(self, limit: int = 500, grouping: str | None = None) -> list[dict[str, Any]]:
        """Jobs that want work in the order of the queue, then those that ended, the newest first."""
        if grouping is not None:
            rows = self._base.execute(
                f"select {_SHORT} from jobs where json_extract(grouping, '$.id') = ? order by place",
                (grouping,),
            ).fetchall()
            return [_job(row) for row in rows]
        marks = ", ".join("?" * len(OPEN))
        waiting = self._base.execute(
            f"select {_SHORT} from jobs where state in ({marks}) order by place", OPEN
        ).fetchall()
        ended = self._base.execute(
            f"select {_SHORT} from jobs where state not in ({marks}) order by ended desc limit ?",
            (*OPEN, limit),
        ).fetchall()
        return [_job(row) for row in (*waiting, *ended)]

    def waiting(self) -> int:
        """How many jobs wait."""
        row = self._base.execute(
            "select count(*) from jobs where state in ('queued', 'interrupted')"
        ).fetchone()
        return int(row[0])

    def order(self) -> list[str]:
        """The ids of all jobs that want work, in the order of the queue."""
        marks = ", ".join("?" * len(OPEN))
        return [
            row[0]
            for row in self._base.execute(
                f"select id from jobs where state in ({marks}) order by place", OPEN
            )
        ]

    def next_job(self) -> dict[str, Any] | None:
        """The first job that waits."""
        row = self._base.execute(
            "select * from jobs where state in ('queued', 'interrupted') order by place limit 1"
        ).fetchone()
        return _job(row) if row else None

    def reorder(self, job: str, before: str | None) -> None:
        """Move a waiting job before another one, or to the end."""
        waiting = [each["id"] for each in self.jobs(0) if each["state"] != "running" and each["id"] != job]
        at = waiting.index(before) if before in waiting else len(waiting)
        waiting.insert(at, job)
        places = sorted(each["place"] for each in self.jobs(0) if each["id"] in waiting)
        self._base.executemany("update jobs set place = ? where id = ?", zip(places, waiting, strict=True))

    def forget_ended(self) -> None:
        """Take the jobs that ended off the list; their pictures stay."""
        marks = ", ".join("?" * len(OPEN))
        self._base.execute(f"delete from jobs where state not in ({marks})", OPEN)

    # assets --------------------------------------------------------------------------------------------------------

    def add_asset(self, name: str, kind: str, title: str, **values: Any) -> dict[str, Any]:
        """Know a file in ``sources``; gives its row."""
        path = self.places.folder / name
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found = path.stat()
        row = {
            "id": identity(name),
            "name": name,
            "kind": kind,
            "title": title,
            "sha256": digest,
            "bytes": found.st_size,
            "stamp": found.st_mtime,
            "created": time.time(),
            **values,
        }
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self._base.execute(f"insert or replace into assets ({names}) values ({marks})", _written(row))
        return row

    def assets(self, kind: str | None = None, limit: int = 60) -> list[dict[str, Any]]:
        """The newest files in ``sources``."""
        where, given = ("where kind = ?", [kind]) if kind else ("", [])
        rows = self._base.execute(
            f"select * from assets {where} order by created desc limit ?", (*given, limit)
        )
        return [dict(row) for row in rows]

    def asset(self, identity_: str) -> dict[str, Any] | None:
        """A file in ``sources`` with all its columns."""
        row = self._base.execute("select * from assets where id = ?", (identity_,)).fetchone()
        return dict(row) if row else None

    def file(self, identity_: str) -> str | None:
        """The name in the folder of a picture or an asset; None for an id that nothing has, or that lies in the bin."""
        for table, rest in (("assets", ""), ("pictures", " and binned is null")):
            row = self._base.execute(f"select name from {table} where id = ?{rest}", (identity_,)).fetchone()
            if row and (self.places.folder / row[0]).is_file():
                return str(row[0])
        return None

    def by_content(self, sha256: str) -> str | None:
        """The id of the asset with that SHA-256."""
        row = self._base.execute(
            "select id, name from assets where sha256 = ? and sha256 != ''", (sha256,)
        ).fetchone()
        return str(row["id"]) if row and (self.places.folder / row["name"]).is_file() else None

    # pictures ------------------------------------------------------------------------------------------------------

    def strange_files(self) -> tuple[list[str], list[str]]:
        """Files in the folder that the index does not know or knows otherwise, and names in it that are gone."""
        known = {
            row["name"]: row["stamp"]
            for row in self._base.execute("select name, stamp from pictures where binned is null")
        }
        new, there = [], set()
        for entry in _listed(self.places.folder, (*STILLS, *MOVING)):
            there.add(entry.name)
            if known.get(entry.name) != entry.stat().st_mtime:
                new.append(entry.name)
        return new, [name for name in known if name not in there]

    def strange_assets(self) -> list[str]:
        """Files in ``sources`` that the index does not know."""
        known = {row[0] for row in self._base.execute("select name from assets")}
        names = [f"sources/{entry.name}" for entry in _listed(self.places.sources, (*STILLS, *FILMS))]
        return [name for name in names if name not in known]

    def add_picture(
        self, name: str, seen: Mapping[str, Any], job: str | None = None, preset: str | None = None
    ) -> str:
        """Put a file into the index, with what its Record says; gives its id."""
        found = (self.places.folder / name).stat()
        record = seen.get("record")
        recipe = json.loads(record).get("recipe", {}) if record else {}
        moving = Path(name).suffix.lower() in MOVING
        before = self._base.execute("select job, preset from pictures where name = ?", (name,)).fetchone()
        words = " ".join(
            map(str, (name, recipe.get("objective", ""), recipe.get("network", ""), preset or ""))
        )
        row = {
            "id": identity(name),
            "name": name,
            "kind": "film" if moving else "picture",
            "width": seen.get("width", 0),
            "height": seen.get("height", 0),
            "bytes": found.st_size,
            "stamp": found.st_mtime,
            "created": found.st_mtime,
            "network": recipe.get("network", ""),
            "preset": preset or (before["preset"] if before else "") or "",
            "words": words.lower(),
            "record": record,
            "job": job or (before["job"] if before else None),
            "binned": None,
        }
        note = self.notes().get(name, {})
        row |= {
            "rating": note.get("rating", 0),
            "tags": note.get("tags", ""),
            "collections": note.get("collections", ""),
        }
        if not row["preset"]:
            row["preset"] = note.get("preset", "")
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self._base.execute(f"insert or replace into pictures ({names}) values ({marks})", _written(row))
        if preset:
            self._note(name, preset=preset)
        return str(row["id"])

    def forget_pictures(self, names: Iterable[str]) -> None:
        """Take names off the index whose files are gone."""
        self._base.executemany(
            "delete from pictures where name = ? and binned is null", [(name,) for name in names]
        )

    def picture(self, identity_: str) -> dict[str, Any] | None:
        """A picture with all its columns."""
        row = self._base.execute("select * from pictures where id = ?", (identity_,)).fetchone()
        return dict(row) if row else None

    def pictures(
        self, search: Mapping[str, Any], limit: int, offset: int
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of the pictures that fit a search, the newest first, and how many there are."""
        where, given = _where(search)
        total = self._base.execute(f"select count(*) from pictures where {where}", given).fetchone()[0]
        order = {"oldest": "created asc", "rating": "rating desc, created desc", "size": "bytes desc"}.get(
            str(search.get("order")), "created desc"
        )
        columns = (
            "id, name, kind, width, height, bytes, created, preset, network, rating, tags, collections, job, "
            "record is not null as dream"
        )
        rows = self._base.execute(
            f"select {columns} from pictures where {where} order by {order}, id limit ? offset ?",
            (*given, limit, offset),
        )
        return [dict(row) for row in rows], int(total)

    def facets(self) -> dict[str, list[str]]:
        """What there is to choose from when one searches."""

        def distinct(column: str) -> list[str]:
            rows = self._base.execute(
                f"select distinct {column} from pictures where binned is null and {column} != '' limit 500"
            )
            return sorted({part for row in rows for part in str(row[0]).split(",") if part})

        return {each: distinct(each) for each in ("network", "preset", "tags", "collections")}

    def annotate(self, identity_: str, **values: Any) -> None:
        """Write rating, tags or collections of a picture, and keep them in ``notes.json``."""
        picture = self.picture(identity_)
        if picture is None:
            raise InputError("This picture is not in the studio any more.")
        names = ", ".join(f"{name} = ?" for name in values)
        self._base.execute(f"update pictures set {names} where id = ?", (*values.values(), identity_))
        self._note(picture["name"], **values)

    def bin(self, identities: Iterable[str]) -> list[str]:
        """Move files into the bin; gives the ids that went there."""
        done = []
        for each in identities:
            picture = self.picture(each)
            if picture is None or picture["binned"] is not None:
                continue
            path = self.places.folder / picture["name"]
            if path.is_file():
                path.replace(self.places.part("bin") / each)
            self._base.execute("update pictures set binned = ? where id = ?", (time.time(), each))
            done.append(each)
        return done

    def restore(self, identities: Iterable[str]) -> list[str]:
        """Move files out of the bin, each under its name; one whose name is taken stays there."""
        done = []
        for each in identities:
            picture, binned = self.picture(each), self.places.part("bin") / each
            if picture is None or picture["binned"] is None or not binned.is_file():
                continue
            path = self.places.folder / picture["name"]
            if not path.exists():
                binned.replace(path)
                self._base.execute("update pictures set binned = null where id = ?", (each,))
                done.append(each)
        return done

    def empty_bin(self) -> int:
        """Delete what lies in the bin for good; gives how many files."""
        rows = self._base.execute("select id from pictures where binned is not null").fetchall()
        for (each,) in rows:
            (self.places.part("bin") / each).unlink(missing_ok=True)
        self._base.execute("delete from pictures where binned is not null")
        return len(rows)

    def notes(self) -> dict[str, dict[str, Any]]:
        """What people said of their pictures, by file name."""
        if not hasattr(self, "_notes"):
            try:
                self._notes = dict(json.loads((self.places.hidden / "notes.json").read_text("utf-8")))
            except (OSError, ValueError, TypeError):
                self._notes = {}
        return self._notes

    def _note(self, name: str, **values: Any) -> None:
        self.notes().setdefault(name, {}).update(values)
        with written_whole(self.places.hidden / "notes.json") as temporary:
            temporary.write_text(json.dumps(self.notes()), "utf-8")


def _listed(folder: Path, suffixes: tuple[str, ...]) -> list[Any]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return []
    return [
        each
        for each in entries
        if each.name[0] != "."
        and Path(each.name).suffix.lower() in suffixes
        and each.is_file(follow_symlinks=False)
    ]


def _where(search: Mapping[str, Any]) -> tuple[str, list[Any]]:
    clauses = ["binned is not null" if search.get("bin") else "binned is null"]
    given: list[Any] = []
    for word in str(search.get("words") or "").lower().split()[:12]:
        clauses.append("(words like ? escape '!' or tags like ? escape '!' or collections like ? escape '!')")
        given += [f"%{_like(word)}%"] * 3
    for column in ("preset", "network", "kind"):
        if search.get(column):
            clauses.append(f"{column} = ?")
            given.append(search[column])
    for column in ("tags", "collections"):
        if search.get(column):
            clauses.append(f"',' || {column} || ',' like ? escape '!'")
            given.append(f"%,{_like(str(search[column]))},%")
    for name, clause in (
        ("since", "created >= ?"),
        ("until", "created < ?"),
        ("rating", "rating >= ?"),
        ("side", "max(width, height) >= ?"),
    ):
        if search.get(name) is not None:
            clauses.append(clause)
            given.append(search[name])
    return " and ".join(clauses), given


def _like(word: str) -> str:
    return word.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _written(values: Mapping[str, Any]) -> list[Any]:
    return [
        json.dumps(value)
        if isinstance(value, dict | list) or (name in _JOB_JSON and not isinstance(value, str))
        else value
        for name, value in values.items()
    ]


def _job(row: sqlite3.Row) -> dict[str, Any]:
    found = dict(row)
    for name in _JOB_JSON:
        if name in found:
            found[name] = json.loads(found[name]) if found[name] else None
    return found
