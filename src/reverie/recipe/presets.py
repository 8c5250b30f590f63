"""Named looks and the systems before, as fields of a Recipe. Torch-free; they stand in ``presets.toml``.

A preset of one's own is a TOML file of recipe fields, with ``title`` and ``about`` for people; the studio saves them.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from reverie.errors import InputError, UnknownName, UsageError

_FOR_PEOPLE = ("about", "kind", "elsewhere")


@cache
def all_presets() -> dict[str, dict[str, Any]]:
    """Named looks: name -> recipe fields (and ``about``, a line for people, and the ``kind``)."""
    return tomllib.loads(resources.files("reverie.recipe").joinpath("presets.toml").read_text("utf-8"))


def preset(name: str, network: str | None = None, objective: bool = False) -> dict[str, Any]:
    """The recipe fields of a preset, or of the TOML file of that name; :class:`UnknownName` with the nearest good ones.

    Where it names a network and another ``network`` is to dream, what is aimed at its own one, layers and greatest
    score, gives way to what stands under ``elsewhere``. A preset without that can only lend its other fields, which
    takes an ``objective`` from the user; :class:`UsageError` where there is none.
    """
    if name.lower().endswith(".toml"):
        return _own(Path(name))
    if name not in all_presets():
        raise UnknownName("preset", name, all_presets(), "'reverie presets'")
    found = {key: value for key, value in all_presets()[name].items() if key not in _FOR_PEOPLE}
    own = found.get("network")
    if own is not None and network is not None and _architecture(network) != _architecture(own):
        if "elsewhere" not in all_presets()[name] and not objective:
            raise UsageError(
                f"The preset {name!r} dreams what the network {own} knows; leave [[network={network}]] out, or say in "
                "[[objective]] what it shall dream."
            )
        found |= {"max_gain": None, **all_presets()[name].get("elsewhere", {})}
    return found


def look_names() -> tuple[str, ...]:
    """The presets that are pictures of their own: neither a manner, nor a class image, nor another program's."""
    return tuple(name for name, each in all_presets().items() if each["kind"] == "look")


def _own(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise InputError(f"The preset {path} cannot be read: {reason}.") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"The preset {path} is no TOML: {error}.") from None
    return {key: value for key, value in values.items() if key not in ("about", "title")}


def _architecture(network: str) -> str:
    """``inceptionv3`` for inception_v3, keras:InceptionV3 and torchvision:inception_v3@FILE."""
    bare = network.partition("@")[0].rpartition(":")[2]
    return "".join(filter(str.isalnum, bare.lower()))
