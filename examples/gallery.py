"""Dream the pictures that README and docs show: ``make gallery``. Sources are ours: a rendered sky, and noise."""

from __future__ import annotations

from pathlib import Path

import reverie

HERE = Path(__file__).parent
TARGET = HERE.parent / "docs" / "img"
SKY = HERE / "sky.jpg"

PICTURES: dict[str, tuple[Path | None, dict[str, object]]] = {
    "sky-default": (SKY, {}),
    "sky-garden": (SKY, {"preset": "garden"}),
    "sky-opal": (SKY, {"preset": "opal"}),
    "sky-butterflies": (SKY, {"preset": "butterflies"}),
    "sky-shells": (SKY, {"preset": "shells"}),
    "noise-default": (None, {"size": "1024x576"}),
}


def main() -> None:
    """Write every picture of the gallery as JPEG with its Record inside."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, (source, options) in PICTURES.items():
        # A relative path, so that the Record names no folder of the machine it was made on.
        given = source.relative_to(HERE.parent) if source else None
        reverie.dream(given, **options).save(TARGET / f"{name}.jpg", overwrite=True)
        print(f"wrote {name}.jpg")


if __name__ == "__main__":
    main()
