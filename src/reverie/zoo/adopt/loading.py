"""A foreign network by its name."""

from __future__ import annotations

from pathlib import Path

from reverie.errors import UsageError
from reverie.network import Network
from reverie.zoo.adopt.names import Foreign


def load_foreign(
    found: Foreign, weights: Path | None, *, offline: bool = False, blank: bool = False
) -> Network:
    """The network that ``found`` names, its library imported now.

    ``blank``: its layers are wanted, not its weights, so random ones do. Raises :class:`MissingError`
    without the library or the weights, :class:`UnknownName`, and :class:`InputError` for files that cannot be used.
    """
    if found.random and weights is not None:
        raise UsageError(f"{found.name} has random weights; leave @random or [[weights]] out.")
    blank = blank or found.random
    if found.kind == "torchvision":
        from reverie.zoo.adopt.libraries import from_torchvision

        return from_torchvision(found, weights, offline, blank)
    if found.kind == "timm":
        from reverie.zoo.adopt.libraries import from_timm

        return from_timm(found, weights, offline, blank)
    if found.kind == "applications":
        from reverie.zoo.adopt.keras_named import keras_application

        return keras_application(found, weights, offline, blank)
    if found.kind == "file":
        from reverie.zoo.adopt.files import from_file

        return from_file(found, weights)
    if found.kind == "keras":
        from reverie.zoo.adopt.keras_named import model_file

        if weights is not None:
            raise UsageError(f"{found.name} brings its own weights; leave [[weights]] out.")
        return model_file(found)
    raise UsageError(
        f"The network {found.name} was handed in from Python; hand it in again there, with "
        "reverie.dream(..., network=...) or reverie.replay(..., network=...)."
    )
