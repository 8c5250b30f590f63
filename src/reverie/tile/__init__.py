"""The gradient of a picture larger than memory, tile by tile."""

from reverie.tile.tiles import MANY, Adding, Layout, Tiles

__all__ = ["MANY", "Adding", "Layout", "Tiles"]
