"""Stills of a film: a poster, and a contact sheet of frames all over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from reverie import files
from reverie.files.decoding import Array
from reverie.film.writing.codec import Footage

_COLUMNS, _ROWS, _CELL, _GAP = 4, 5, 360, 6


def check(path: Path, overwrite: bool) -> None:
    """Raise now the :class:`OutputError` that :func:`poster` and :func:`film_sheet` would raise after the work."""
    files.check_writable(path, overwrite)


def poster(path: Path, footage: Footage, overwrite: bool = False) -> Path:
    """Write the one frame of the middle half that has the most contrast, as a picture."""
    count = len(footage.times)
    tried = sorted({count // 4 + step * max(count // 2, 1) // 12 for step in range(13)})
    best = max((n for n in tried if n < count), key=lambda n: float(footage.picture(n).std()))
    return _saved(path, footage.picture(best), overwrite)


def film_sheet(path: Path, footage: Footage, overwrite: bool = False) -> Path:
    """Write up to 20 frames, evenly over the film, each with its second."""
    count = len(footage.times)
    cells = min(count, _COLUMNS * _ROWS)
    chosen = [round(n * (count - 1) / max(cells - 1, 1)) for n in range(cells)]
    height, width = footage.picture(0).shape[:2]
    scale = _CELL / max(width, height)
    cell = (max(round(width * scale), 1), max(round(height * scale), 1))
    columns = min(_COLUMNS, cells)
    rows, line = -(-cells // columns), 14
    size = (columns * (cell[0] + _GAP) + _GAP, rows * (cell[1] + line + _GAP) + _GAP)
    page = Image.new("RGB", size, (18, 18, 18))
    pen = ImageDraw.Draw(page)
    for at, index in enumerate(chosen):
        x, y = _GAP + at % columns * (cell[0] + _GAP), _GAP + at // columns * (cell[1] + line + _GAP)
        picture = Image.fromarray(footage.picture(index)).resize(cell, Image.Resampling.LANCZOS)
        page.paste(picture, (x, y))
        pen.text((x, y + cell[1] + 1), f"{float(footage.times[index]):.2f} s", fill=(190, 190, 190))
    return _saved(path, np.asarray(page), overwrite)


def _saved(path: Path, picture: Array, overwrite: bool) -> Path:
    pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    return files.save(path, pixels, overwrite=overwrite)
