"""What picture is wanted, as settings and text: recipes, objectives as text, presets, records. Needs no torch."""

from reverie.recipe.model import (
    AUTO,
    PREVIEW_SIDE,
    Model,
    Precision,
    Recipe,
    Run,
    merged,
    read_settings,
    valid_run,
    validated,
)

__all__ = [
    "AUTO",
    "PREVIEW_SIDE",
    "Model",
    "Precision",
    "Recipe",
    "Run",
    "merged",
    "read_settings",
    "valid_run",
    "validated",
]
