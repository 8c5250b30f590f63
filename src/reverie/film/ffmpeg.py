"""FFmpeg, by way of PyAV: imported here alone, and only when a film is read or written."""

from __future__ import annotations

import importlib
from typing import Any

from reverie.errors import MissingError


def pyav() -> Any:
    """The module ``av``; :class:`MissingError` where it is not installed."""
    try:
        module = importlib.import_module("av")
    except ImportError:
        raise MissingError("Films need PyAV; install it with: pip install 'reverie[video]'") from None
    module.logging.set_level(None)  # what FFmpeg grumbles about on stderr is a sentence of ours, or harmless
    return module
