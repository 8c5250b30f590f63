"""The studio's folder: what lies where, names of files, and the ids under which the page knows them."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STILLS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
FILMS = (".mp4", ".webm", ".mov", ".mkv")
MOVING = (*FILMS, ".gif", ".apng")
PLAYED = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".gif": "image/gif",
    ".apng": "image/apng",
    ".mov": "video/mp4",
}
"""What a browser is shown of films, and under which type."""


def identity(name: str) -> str:
    """The id of a file by its name in the folder: equal names give equal ids, and no id tells its name."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:20]


def file_slug(text: str, longest: int = 40) -> str:
    """A piece of a file name: letters, digits and hyphens, whatever ``text`` holds."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", text).strip("-").lower()[:longest].strip("-") or "picture"


@dataclass(frozen=True)
class Places:
    """The folder of one studio. Pictures and films lie in ``folder`` itself, what they were dreamt from in ``sources``,
    own presets in ``presets``; all that can be made anew lies in a hidden folder."""

    folder: Path

    @property
    def sources(self) -> Path:
        """Pictures that were dropped, masks and guides."""
        return self.folder / "sources"

    @property
    def presets(self) -> Path:
        """Own presets, a TOML file each."""
        return self.folder / "presets"

    @property
    def hidden(self) -> Path:
        """Queue, index, thumbnails, checkpoints."""
        return self.folder / ".studio"

    def part(self, name: str) -> Path:
        """A folder within the hidden one: thumbs, live, previews, incoming, checkpoints, bin."""
        return self.hidden / name

    def make(self) -> None:
        """Make whatever of it is missing."""
        for each in (self.sources, self.presets, *map(self.part, PARTS)):
            each.mkdir(parents=True, exist_ok=True)


PARTS = ("thumbs", "live", "previews", "incoming", "checkpoints", "bin", "views")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path that becomes ``path`` when the block ends well, and is gone when it does not."""
    temporary = path.with_name(f".reverie-{secrets.token_hex(8)}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
