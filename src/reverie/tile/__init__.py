"""The gradient of a picture larger than memory, tile by tile."""

from reverie.tile.tiles import TILES_PER_TRIM, Adding, Layout, Tiles

__all__ = ["TILES_PER_TRIM", "Adding", "Layout", "Tiles"]
