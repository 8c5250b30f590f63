"""The camera: how it moves over the dream in a span of time, and the picture seen after such a move.

Places are complex numbers x + iy, in short sides of the picture from its middle, y downward. A move says where the
new frame's places were in the old one: at ``turn * z + shift``. Moves over neighboring spans compose to the move over
both, so the motion does not depend on the frame rate.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from reverie.film.settings import Zoom
from reverie.pixels.ops import resize

_FINEST = 1 / 120  # seconds within which speeds that change count as constant


@dataclass(frozen=True)
class Move:
    """New places ``z`` show what was at ``turn * z + shift``."""

    turn: complex = 1.0
    shift: complex = 0.0

    def then(self, later: Move) -> Move:
        """This move and a later one as one."""
        return Move(self.turn * later.turn, self.turn * later.shift + self.shift)

    def back(self) -> Move:
        """The move that undoes this one."""
        return Move(1 / self.turn, -self.shift / self.turn)


def move(course: Callable[[float], Zoom], start: float, stop: float) -> Move:
    """The camera's move from ``start`` to ``stop``, in seconds, at the speeds that ``course`` gives for each time."""
    pieces = max(1, math.ceil((stop - start) / _FINEST - 1e-6))
    length = (stop - start) / pieces
    made = Move()
    for piece in range(pieces):
        middle = start + (piece + 0.5) * length
        made = made.then(_constant(course(middle), middle, length))
    return made


def _constant(speeds: Zoom, time: float, length: float) -> Move:
    rate = complex(-math.log(speeds.zoom), math.radians(speeds.rotate))
    # What the camera dives into stays where it is; on a spiral that place goes round.
    place = speeds.spiral * cmath.exp(2j * math.pi * time / speeds.period)
    drift = complex(speeds.pan_x, speeds.pan_y) - rate * place
    turn = cmath.exp(rate * length)
    return Move(turn, drift * ((turn - 1) / rate if abs(rate) > 1e-9 else length))


def camera_places(size: tuple[int, int], by: Move, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Where the pixels of a picture of ``size`` (height, width) were before the move: x and y, [H, W]."""
    height, width = size
    short = min(size)
    x = ((torch.arange(width, device=device) + 0.5 - width / 2) / short).expand(height, -1)
    y = ((torch.arange(height, device=device) + 0.5 - height / 2) / short)[:, None].expand(-1, width)
    turn, shift = complex(by.turn), complex(by.shift)
    return (
        turn.real * x - turn.imag * y + shift.real,
        turn.imag * x + turn.real * y + shift.imag,
    )


def seen(image: Tensor, by: Move) -> Tensor:
    """``image`` [1, 3, H, W] as the camera sees it after the move, bicubically; mirrored beyond the borders.

    Every pixel is the mean of four places in it: taken at one, pixels that do not move would stay sharp while all
    others blur a little with every frame, and after a hundred frames of zoom a cross of hairlines shows.
    """
    if by == Move():
        return image
    height, width = image.shape[-2:]
    short = min(height, width)
    x, y = camera_places((2 * height, 2 * width), by, image.device)
    coarser = abs(by.turn)
    if coarser > 1.25:  # drawing back that far at once would skip pixels
        image = resize(
            image, (max(2, round(image.shape[-2] / coarser)), max(2, round(image.shape[-1] / coarser)))
        )
    grid = torch.stack([x * (2 * short / width), y * (2 * short / height)], -1)[None]
    fine = F.grid_sample(image, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return F.avg_pool2d(fine, 2)
