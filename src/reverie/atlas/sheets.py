"""Contact sheets: many objectives dreamt alike, side by side on one sheet of paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from reverie.files import to_uint8
from reverie.loop.plan import Plan
from reverie.loop.render import render
from reverie.objective import Objective
from reverie.pixels.ops import Size, resize

GAP = 6  # pixels between cells
CAPTION = 22  # pixels below a cell, for its name
TITLE = 30  # pixels above all cells, where there is a title
PAPER, INK, BRIGHT = (14, 14, 16), (214, 210, 202), (246, 242, 234)

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


@dataclass(frozen=True, eq=False)
class Dream:
    """One finished dream: ``picture`` [1, 3, H, W] in 0..1; ``silent`` where the objective had no gradient at all,
    so that the picture is still what it started from."""

    picture: Tensor
    silent: bool


def dreams(plan: Plan, objectives: Iterable[Objective], source: Tensor) -> Iterator[Dream]:
    """Each of ``objectives`` dreamt into ``source`` [1, 3, H, W] in 0..1, all else as in ``plan``.

    The pictures are on the CPU. Closing the iterator stops the work.

    >>> list(dreams(plan, [channel("stage3", 0), channel("stage3", 1)], source))  # doctest: +SKIP
    """
    # The dream of something that has no gradient; where `blend` mixes, it mixes equal pictures.
    still = resize(source, plan.size).clamp(0, 1).cpu()
    for objective in objectives:
        picture = still
        for frame in render(plan.dreaming(objective), source):
            if frame.last:
                picture = frame.image.detach().float().cpu()
        yield Dream(picture, torch.equal(picture, still))


def _grid(count: int, cell: Size, columns: int) -> tuple[int, int]:
    """Rows and columns."""
    step_y, step_x = cell[0] + CAPTION + GAP, cell[1] + GAP
    columns = min(count, columns or max(1, round((count * step_y / step_x * 1.3) ** 0.5)))
    return -(-count // columns), columns


def sheet_size(count: int, cell: Size, columns: int = 0, title: str = "") -> Size:
    """(height, width) of the :func:`sheet` of ``count`` pictures of the size ``cell``."""
    rows, columns = _grid(count, cell, columns)
    height = rows * (cell[0] + CAPTION + GAP) + GAP + (TITLE if title else 0)
    return height, columns * (cell[1] + GAP) + GAP


def sheet(cells: Sequence[tuple[str, Tensor]], columns: int = 0, title: str = "") -> Tensor:
    """One picture [1, 3, H, W] in 0..1 out of captioned pictures [1, 3, h, w] of one size, row by row.

    ``columns`` 0 makes the sheet a little wider than it is high; ``title`` is written above all. Raises
    :class:`ValueError` without cells.
    """
    if not cells:
        raise ValueError("A contact sheet needs at least one picture.")
    height, width = cells[0][1].shape[-2:]
    whole = sheet_size(len(cells), (height, width), columns, title)
    _, columns = _grid(len(cells), (height, width), columns)
    paper = Image.new("RGB", (whole[1], whole[0]), PAPER)
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(size=13)
    if title:
        large = ImageFont.load_default(size=16)
        pen.text((GAP + 2, GAP + 2), _shortened(title, large, whole[1] - 2 * GAP - 4), BRIGHT, large)
    for at, (name, picture) in enumerate(cells):
        x = GAP + at % columns * (width + GAP)
        y = GAP + (TITLE if title else 0) + at // columns * (height + CAPTION + GAP)
        paper.paste(Image.fromarray(to_uint8(picture)), (x, y))
        pen.text((x + 2, y + height + 3), _shortened(name, font, width - 4), INK, font)
    array = np.asarray(paper, np.float32) / 255
    return torch.from_numpy(array).permute(2, 0, 1)[None].contiguous()


def _shortened(name: str, font: Font, width: int) -> str:
    """``name``, cut with an ellipsis where it is wider than ``width`` pixels."""
    if font.getlength(name) <= width:
        return name
    while name and font.getlength(name + "…") > width:
        name = name[:-1]
    return name + "…"
