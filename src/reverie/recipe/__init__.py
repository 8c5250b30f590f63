"""What picture is wanted, as settings and text: recipes, objectives as text, presets, records. Needs no torch."""

from reverie.recipe.model import AUTO, PREVIEW_SIDE, Precision, Recipe, Run, T, merged, read, run, validated

__all__ = ["AUTO", "PREVIEW_SIDE", "Precision", "Recipe", "Run", "T", "merged", "read", "run", "validated"]
