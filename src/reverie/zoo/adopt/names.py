"""The names of foreign networks, and whose code they would run. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reverie.errors import UsageError

Library = Literal["torchvision", "timm", "applications", "keras", "file", "python"]

EXAMPLES = (
    "torchvision:convnext_tiny",
    "timm:resnet50d",
    "keras:applications.InceptionV3",
    "keras:FILE.keras",
    "./FILE.py:FACTORY",
)
"""What to write for a network that is none of ours."""

RANDOM = "@random"


@dataclass(frozen=True)
class Foreign:
    """A name taken apart: ``what`` is the library's name or a path, ``factory`` what to call in a .py file.

    ``random`` says that weights drawn at random were asked for.
    """

    name: str
    kind: Library
    what: str
    factory: str = ""
    random: bool = False

    @property
    def runs_code(self) -> bool:
        """Whether loading it runs, or might run, what somebody wrote into a file."""
        return self.kind in ("file", "keras")

    @property
    def package(self) -> str:
        """The distribution whose version decides what the network computes; "" where there is none."""
        return (
            {"applications": "keras"}.get(self.kind, self.kind) if self.kind not in ("file", "python") else ""
        )


def foreign(name: str) -> Foreign | None:
    """``name`` taken apart; None for a name of our own. Raises :class:`UsageError` for half a name."""
    scheme, colon, rest = name.partition(":")
    path, _, factory = name.rpartition(":")
    if path.endswith(".py"):
        if not factory.isidentifier():
            raise UsageError(f"{name!r} names no function; write it like {path}:factory.")
        return Foreign(name, "file", path, factory)
    if name.endswith(".py"):
        raise UsageError(f"{name!r} names a file alone; name its function too, like {name}:factory.")
    if name.endswith((".keras", ".h5", ".hdf5")) and scheme != "keras":
        raise UsageError(f"{name!r} is a Keras file; write keras:{name}.")
    if not colon or scheme not in ("torchvision", "timm", "keras", "python"):
        return None
    random = rest.endswith(RANDOM)
    rest = rest.removesuffix(RANDOM)
    if not rest:
        raise UsageError(f"{name!r} is half a name; write it like {_example(scheme)}.")
    if scheme == "keras" and rest.startswith("applications."):
        return Foreign(name, "applications", rest.removeprefix("applications."), random=random)
    if random and scheme in ("keras", "python"):
        raise UsageError(f"{name!r} brings its own weights; leave {RANDOM} out.")
    kind: Library = scheme  # type: ignore[assignment]
    return Foreign(name, kind, rest, random=random)


def _example(scheme: str) -> str:
    return next(
        (each for each in EXAMPLES if each.startswith(f"{scheme}:")), "a name from 'reverie networks'"
    )


def consent(name: str, trust: bool, origin: str) -> None:
    """Refuse a network that runs code, unless it is trusted, where a file (``origin``) names it and not the user.

    Raises :class:`UsageError`.
    """
    found = foreign(name)
    if found is not None and found.runs_code and not trust:
        raise UsageError(
            f"{origin} wants the network {name}, and loading that can run code; if you trust both, say [[trust=True]] "
            "(trust=True in Python)."
        )
