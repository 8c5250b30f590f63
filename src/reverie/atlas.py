"""The atlas: contact sheets of what a network dreams, objective by objective."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from reverie.loop import render
from reverie.network import Network
from reverie.ops import Size
from reverie.plan import prepare
from reverie.recipe import Recipe

GAP = 6  # pixels between cells
CAPTION = 22  # pixels below a cell, for its name
PAPER, INK = (14, 14, 16), (214, 210, 202)


def dreams(
    network: Network,
    texts: Iterable[str],
    source: Tensor,
    size: Size,
    recipe: Recipe,
    *,
    device: str = "cpu",
    precision: str = "fp32",
) -> Iterator[tuple[str, Tensor]]:
    """Each objective of ``texts`` dreamt into ``source`` [1, 3, H, W] in 0..1 at ``size``: (text, picture).

    Everything but the objective is as in ``recipe``. Closing the iterator stops the work.
    """
    for text in texts:
        one = recipe.model_copy(update={"objective": text})
        plan = prepare(network, one, size, device=device, precision=precision)  # type: ignore[arg-type]
        *_, last = render(plan, source)
        yield text, last.image.cpu()


def sheet(cells: Sequence[tuple[str, Tensor]], columns: int = 0) -> Tensor:
    """One picture [1, 3, H, W] in 0..1 out of captioned pictures [1, 3, h, w] of one size, row by row.

    ``columns`` 0 makes the sheet about as wide as it is high. Raises :class:`ValueError` without cells.
    """
    if not cells:
        raise ValueError("A contact sheet needs at least one picture.")
    height, width = cells[0][1].shape[-2:]
    step_y, step_x = height + CAPTION + GAP, width + GAP
    columns = min(len(cells), columns or max(1, round((len(cells) * step_y / step_x * 1.3) ** 0.5)))
    rows = -(-len(cells) // columns)
    paper = Image.new("RGB", (columns * step_x + GAP, rows * step_y + GAP), PAPER)
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(size=13)
    for at, (name, picture) in enumerate(cells):
        x, y = GAP + at % columns * step_x, GAP + at // columns * step_y
        pixels = (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().cpu()
        paper.paste(Image.fromarray(pixels.numpy()), (x, y))
        pen.text((x + 2, y + height + 3), _shortened(name, font, width - 4), INK, font)
    array = np.asarray(paper, np.float32) / 255
    return torch.from_numpy(array).permute(2, 0, 1)[None].contiguous()


def _shortened(name: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """``name``, cut with an ellipsis where it is wider than ``width`` pixels."""
    if font.getlength(name) <= width:
        return name
    while name and font.getlength(name + "…") > width:
        name = name[:-1]
    return name + "…"
