"""Dream the pictures that README and docs show: ``make gallery``. Sources: rendered, or free (CREDITS.md)."""

from __future__ import annotations

from pathlib import Path

import reverie

HERE = Path(__file__).parent
TARGET = HERE.parent / "docs" / "img"
PICTURES: dict[str, tuple[str | None, dict[str, object]]] = {
    "cat-default": ("cat", {"size": "900"}),
    "sky-default": ("sky", {}),
    "landscape-default": ("landscape", {}),
    "portrait-default": ("portrait", {"size": "800"}),
    "noise-default": (None, {"size": "1024x576"}),
    "landscape-garden": ("landscape", {"preset": "garden"}),
    "landscape-reef": ("landscape", {"preset": "reef"}),
    "sky-owls": ("sky", {"preset": "owls"}),
    "sky-frost": ("sky", {"preset": "frost"}),
    "cat-eyes": ("cat", {"preset": "eyes", "size": "900"}),
    "cat-peacock": ("cat", {"preset": "peacock", "size": "900"}),
    "cat-marble": ("cat", {"preset": "marble", "size": "900"}),
    "sky-castle": ("sky", {"network": "motif", "objective": "castle"}),
}


def main() -> None:
    """Write every picture of the gallery as JPEG with its Record inside."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, (source, options) in PICTURES.items():
        # A relative path, so that the Record names no folder of the machine it was made on.
        given = f"examples/{source}.jpg" if source else None
        reverie.dream(given, **options).save(TARGET / f"{name}.jpg", overwrite=True)
        print(f"wrote {name}.jpg")


if __name__ == "__main__":
    main()
