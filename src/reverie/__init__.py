"""Reverie: pictures out of what a neural network sees.

>>> import reverie
>>> reverie.dream("photo.jpg", objective="owl").save("out.png")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "Frame": "loop.render",
    "InputError": "errors",
    "Job": "jobs.job",
    "MissingError": "errors",
    "Network": "network",
    "Objective": "objective",
    "OutputError": "errors",
    "Param": "pixels.param",
    "Picture": "jobs.picture",
    "Plan": "loop.plan",
    "Recipe": "recipe",
    "Record": "recipe.record",
    "ReverieError": "errors",
    "Rule": "ascent.rules",
    "Run": "recipe",
    "Transform": "pixels.transform",
    "UnknownName": "errors",
    "UsageError": "errors",
    "adopt": "zoo.adopt.modules",
    "dream": "api",
    "dream_guided": "api",
    "job": "jobs.job",
    "load": "zoo",
    "prepare": "loop.plan",
    "presets": "api",
    "register_objective": "recipe.functions",
    "render": "loop.render",
    "replay": "jobs.replaying",
    "visualize": "api",
}

__all__ = sorted(_WHERE)  # noqa: PLE0605
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Lazy, so that `import reverie` and `reverie --help` do not wait for torch.
    if name in _WHERE:
        return getattr(importlib.import_module(f"reverie.{_WHERE[name]}"), name)
    if name in ("atlas", "film", "objective"):
        return importlib.import_module(f"reverie.{name}")
    raise AttributeError(f"module 'reverie' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
