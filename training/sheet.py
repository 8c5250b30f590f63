"""A contact sheet of renders, to look at: ``python -m training.sheet OUT.png [MODULE.FUNCTION ...]``.

Without names, every motif in the table; with ``creatures.owl`` and the like, those functions alone.
"""

from __future__ import annotations

import importlib
import sys

import cv2
import numpy as np

from training import motifs, scene


def sheet(names: list[str], columns: int = 8, size: int = 112, seed: int = 7) -> np.ndarray:
    """A picture uint8 with one row a motif: ``columns`` renders in scenes, the name in the first."""
    rows = []
    for row, name in enumerate(names):
        cells = []
        for column in range(columns):
            rng = np.random.default_rng([seed, row, column])
            cells.append(scene.render(name, rng, size))
        cv2.putText(cells[0], name, (2, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (255, 255, 255), 1, cv2.LINE_AA)
        rows.append(np.concatenate(cells, axis=1))
    return np.concatenate(rows, axis=0)


if __name__ == "__main__":
    target, *wanted = sys.argv[1:]
    for spec in wanted:
        module, function = spec.split(".")
        draw = getattr(importlib.import_module(f"training.motifs.{module}"), function)
        motifs.MOTIFS.setdefault(function, motifs.Motif(draw))
    chosen = [spec.split(".")[-1] for spec in wanted] or [*motifs.MOTIFS, scene.NOTHING]
    cv2.imwrite(target, cv2.cvtColor(sheet(chosen), cv2.COLOR_RGB2BGR))
