"""Draw the contact sheets that docs shows, of the built-in network: ``make atlas``, a quarter of an hour."""

from __future__ import annotations

from pathlib import Path

import reverie
from reverie import atlas, files
from reverie.cli import main

HERE = Path(__file__).parent
TARGET = HERE.parent / "docs" / "img"

SHEETS: dict[str, list[str]] = {
    "atlas-layers": ["layers", "motif"],
    "atlas-motifs": ["motifs", "--columns", "8", "--size", "240x160"],
    **{f"atlas-stage{number}": ["channels", "motif", f"stage{number}", "--page", "all"] for number in (1, 2, 3, 4)},
    "atlas-owl": ["find", "owl", "--network", "motif", "--top", "12"],
    "atlas-heat": ["inspect", str(HERE / "cat.jpg"), "--network", "motif", "--size", "320"],
}
MEANT = ("rose", "snake", "daisy", "peacock", "castle", "nautilus", "owl", "sunflower")


def draw() -> None:
    """Write every sheet as WebP (half of what JPEG takes); those of several pages are numbered."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, command in SHEETS.items():
        out = "--out" if command[0] == "motifs" else "--sheet"
        code = main([*command, out, str(TARGET / f"{name}.webp"), "--overwrite"])
        if code:
            raise SystemExit(code)
    cells = [(name, reverie.visualize(name, network="motif").pixels) for name in MEANT]
    files.save(TARGET / "visualize-motif.webp", atlas.sheet(cells, 4), overwrite=True)
    print("wrote visualize-motif.webp")


if __name__ == "__main__":
    draw()
