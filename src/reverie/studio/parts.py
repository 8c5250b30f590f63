"""The parts of a studio, and how they are put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reverie.errors import OutputError
from reverie.studio.child import Reader
from reverie.studio.events import Events
from reverie.studio.files import Places
from reverie.studio.gallery import Gallery
from reverie.studio.jobs import Queue
from reverie.studio.store import Store


@dataclass(frozen=True, eq=False)
class Studio:
    """Everything that the routes share."""

    places: Places
    store: Store
    events: Events
    queue: Queue
    reader: Reader
    gallery: Gallery


def assembled(folder: Path) -> Studio:
    """The parts of a studio in ``folder``, which is made where it is missing; nothing runs yet."""
    try:
        places = Places(folder.resolve())
        places.make()
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be used as the studio's folder ({error.strerror}); name another."
        ) from None
    store, events = Store(places), Events()
    reader = Reader(places.folder, places.hidden / "reader.log")
    queue = Queue(places, store, events)
    return Studio(places, store, events, queue, reader, Gallery(places, store, reader, events))
