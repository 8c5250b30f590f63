"""Films: step movies, endless zooms, dreamt videos; read, written, and gone on with where they stopped.

>>> for image in reverie.film.zoom("photo.jpg", duration="2s", zoom=1.4): ...  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["steps", "video", "zoom"]


def steps(source: Any = None, **options: Any) -> Iterator[Tensor]:
    """The ascent itself: an iterator of images [1, 3, H, W] in 0..1, first the source, last the dream.

    ``source`` is what :func:`reverie.dream` takes; ``options`` are the fields of ``reverie.film.settings.Steps`` and
    what :func:`reverie.job` takes. Raises what that raises.
    """
    return _images("steps", source, options)


def zoom(source: Any = None, **options: Any) -> Iterator[Tensor]:
    """The endless dive: an iterator of images [1, 3, H, W] in 0..1.

    ``source`` is what :func:`reverie.dream` takes; ``options`` are the fields of ``reverie.film.settings.Zoom`` and
    what :func:`reverie.job` takes. Raises what that raises.
    """
    return _images("zoom", source, options)


def video(clip: str | Path, **options: Any) -> Iterator[Tensor]:
    """A dreamt video: an iterator of images [1, 3, H, W] in 0..1, one for each frame of the file ``clip``.

    ``options`` are the fields of ``reverie.film.settings.Video`` and what :func:`reverie.job` takes. Raises what
    that raises, and :class:`reverie.MissingError` without PyAV and OpenCV.
    """
    return _images("video", clip, options)


def _images(kind: Literal["steps", "zoom", "video"], source: Any, options: dict[str, Any]) -> Iterator[Tensor]:
    # Lazy, so that the command line knows the settings without waiting for torch.
    from reverie.film import shooting

    model = shooting.SETTINGS[kind]
    settings = model.of(**{name: value for name, value in options.items() if name in model.model_fields})
    rest = {name: value for name, value in options.items() if name not in model.model_fields}
    made = shooting.make_film(kind, source, settings, **rest)
    return (take.image for take in made.takes())
