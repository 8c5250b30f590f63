"""Films: step movies, endless zooms, dreamt videos; read, written, and gone on with where they stopped.

Each call gives a :class:`Film`: go through it for its images, or save it.

>>> reverie.film.zoom("photo.jpg", duration="2s", zoom=1.4).save("zoom.mp4")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from reverie.film.shooting import Film

__all__ = ["Film", "replay", "steps", "video", "zoom"]


def steps(source: Any = None, **options: Any) -> Film:
    """The ascent itself as a film: first the source, last the dream.

    ``source`` is what :func:`reverie.dream` takes; ``options`` are the fields of ``reverie.film.settings.Steps`` and
    what :func:`reverie.job` takes. Raises what that raises.

    >>> for image in reverie.film.steps("photo.jpg"): ...  # [1, 3, H, W] in 0..1  # doctest: +SKIP
    """
    return _made("steps", source, options)


def zoom(source: Any = None, **options: Any) -> Film:
    """The endless dive into a picture as a film.

    ``source`` is what :func:`reverie.dream` takes; ``options`` are the fields of ``reverie.film.settings.Zoom`` and
    what :func:`reverie.job` takes. Raises what that raises.
    """
    return _made("zoom", source, options)


def video(clip: str | Path, **options: Any) -> Film:
    """A dreamt video: one image for each frame of the file ``clip``.

    ``options`` are the fields of ``reverie.film.settings.Video`` and what :func:`reverie.job` takes. Raises what
    that raises, and :class:`reverie.MissingError` without PyAV and OpenCV.
    """
    return _made("video", clip, options)


def replay(
    path: str | Path,
    *,
    source: Any = None,
    changes: Mapping[str, Any] | None = None,
    assets: Sequence[Any] = (),
    **options: Any,
) -> Film:
    """The film whose Record lies in the file ``path``; with ``changes``, fields of its recipe or settings, another.

    What was made in Python (``network=``, ``objective=``, ...) must be handed in again. Raises
    :class:`reverie.InputError` where there is no Record, or a file that it names is not there or not the same.

    >>> reverie.film.replay("zoom.mp4", changes={"steps": 20}).save("slower.mp4")  # doctest: +SKIP
    """
    from reverie.film import shooting

    return shooting.replay_film(path, source=source, changes=changes, assets=assets, **options)


def __getattr__(name: str) -> Any:
    # Lazy, so that the command line knows the settings without waiting for torch.
    if name == "Film":
        from reverie.film import shooting

        return shooting.Film
    raise AttributeError(f"module 'reverie.film' has no attribute {name!r}")


def _made(kind: Literal["steps", "zoom", "video"], source: Any, options: dict[str, Any]) -> Film:
    from reverie.film import shooting

    model = shooting.SETTINGS[kind]
    settings = model.of(**{name: value for name, value in options.items() if name in model.model_fields})
    rest = {name: value for name, value in options.items() if name not in model.model_fields}
    return shooting.make_film(kind, source, settings, **rest)
