"""Dream the pictures that README and docs show: ``make gallery``. Sources: rendered, or free (CREDITS.md).

``python examples/gallery.py sky-dogs how`` makes the pictures of these names alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

import reverie
from reverie import atlas
from reverie.cli import main as main_of_reverie
from reverie.files import save
from reverie.pixels.ops import resize
from reverie.recipe.record import view

HERE = Path(__file__).parent
TARGET = HERE.parent / "docs" / "img"
PICTURES: dict[str, tuple[str | None, dict[str, Any]]] = {
    "landscape-default": ("landscape", {"size": "1024"}),
    "cat-default": ("cat", {"size": "900"}),
    "sky-default": ("sky", {"size": "1024"}),
    "portrait-default": ("portrait", {"realism": 0.8, "size": "800"}),
    "coffee-default": ("coffee", {"size": "900"}),
    "noise-default": (None, {"size": "1024x576"}),
    "landscape-dogs": ("landscape", {"preset": "dogs", "size": "1024"}),
    "sky-battlements": ("sky", {"preset": "battlements", "size": "1024"}),
    "landscape-classic": ("landscape", {"preset": "classic-2015", "size": "1024"}),
    "sky-aquarium": ("sky", {"preset": "aquarium", "size": "1024"}),
    "cat-filigree": ("cat", {"preset": "filigree", "size": "900"}),
    "landscape-strong": ("landscape", {"strength": 2.0, "size": "1024"}),
    "sky-serpents": ("sky", {"preset": "serpents", "size": "1024"}),
    "landscape-reef": ("landscape", {"preset": "reef", "size": "1024"}),
    "cat-motif": ("cat", {"network": "motif", "size": "900"}),
}
QUALITY = 85  # of the JPEGs
LAYERS = {
    "block 1": "blocks.1.0",
    "block 4": "blocks.2.0",
    "block 6": "blocks.2.2",
    "block 9": "blocks.3.2",
    "block 12": "blocks.4.1",
    "block 13": "blocks.4.2",
    "block 16": "blocks.5.1",
    "block 19": "blocks.5.4",
}
"""From shallow to deep, over EfficientNet-Lite2."""


def picture(name: str) -> None:
    """Write a picture of the gallery as JPEG with its Record inside."""
    source, options = PICTURES[name]
    # A relative path, so that the Record names no folder of the machine it was made on.
    given = f"examples/{source}.jpg" if source else None
    made = reverie.dream(given, **options)
    text = made.record.text() if made.record else None
    save(TARGET / f"{name}.jpg", made.pixels, text=text, overwrite=True, quality=QUALITY)


def strip(name: str, cells: list[tuple[str, dict[str, Any]]], columns: int) -> None:
    """Write dreams of one picture under different settings, side by side."""
    made: list[tuple[str, Tensor]] = []
    for caption, options in cells:
        dreamt = reverie.dream("examples/landscape.jpg", **{"size": "720x480", **options}).pixels
        made.append((caption, resize(dreamt, (240, 360)).clamp(0, 1)))
    save(TARGET / f"{name}.jpg", atlas.sheet(made, columns), text=view("strip"), overwrite=True, quality=QUALITY)


def how_layers() -> None:
    """One picture dreamt at eight layers, shallow to deep."""
    strip("how-layers", [(name, {"objective": path}) for name, path in LAYERS.items()], 4)


def how_octaves() -> None:
    """One picture dreamt in 1, 2, 4 and 8 octaves, with jitter and without."""
    cells: list[tuple[str, dict[str, Any]]] = []
    for jitter in (20, 0):
        for octaves in (1, 2, 4, 8):
            caption = f"{octaves} octave{'s' if octaves > 1 else ''}, {'with' if jitter else 'without'} jitter"
            cells.append((caption, {"octaves": octaves, "jitter": jitter, "octave_scale": 1.3, "variation": 0.0}))
    strip("how-octaves", cells, 4)


def how_ascent() -> None:
    """The same octave after 1, 4, 16 and 64 steps."""
    cells = [(f"{n} step{'s' if n > 1 else ''}", {"steps": n, "octaves": 1, "variation": 0.0}) for n in (1, 4, 16, 64)]
    strip("how-ascent", cells, 4)


def dials() -> None:
    """The three dials at three values each."""
    values: dict[str, tuple[Any, ...]] = {
        "strength": (0.5, 1.0, 2.0),
        "motif_size": ("small", "medium", "large"),
        "realism": (0.1, 0.55, 0.9),
    }
    cells = [(f"{dial.replace('_', ' ')} {value}", {dial: value}) for dial, found in values.items() for value in found]
    strip("dials", cells, 3)


def looks(source: str) -> None:
    """Every look on one picture: what ``reverie looks`` draws."""
    target = TARGET / f"looks-{source}.jpg"
    if main_of_reverie(["looks", f"examples/{source}.jpg", "--out", str(target), "--overwrite", "--quiet"]):
        raise SystemExit(f"The looks of {source} could not be drawn.")


SHEETS: dict[str, Callable[[], None]] = {
    **{f"looks-{source}": partial(looks, source) for source in ("landscape", "sky", "cat")},
    "how-layers": how_layers,
    "how-octaves": how_octaves,
    "how-ascent": how_ascent,
    "dials": dials,
}


def main() -> None:
    """Write the pictures whose names are given, or all."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or [*PICTURES, *SHEETS]:
        if name in PICTURES:
            picture(name)
        elif name in SHEETS:
            SHEETS[name]()
        else:
            raise SystemExit(f"There is no picture {name!r}; there are {', '.join([*PICTURES, *SHEETS])}.")
        print(f"wrote {name}", flush=True)


if __name__ == "__main__":
    main()
