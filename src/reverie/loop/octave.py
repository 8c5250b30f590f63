"""The sizes a dream goes through, and what is carried from one to the next."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from reverie.pixels.ops import Size, resize

SMALLEST_OCTAVE = 24  # pixels: below this short side an octave holds no form that a network could see


def sizes(
    final: Size, octaves: int | Literal["auto"], scale: float, smallest: int, above: int = 0
) -> list[Size]:
    """(height, width) of every octave, coarse first, the last one ``final``, or ``above`` octaves beyond it.

    A number is the classic way, anchored at the fine end: final / scale, final / scale^2, ... as
    far as the picture holds them. ``auto`` is anchored at the coarse end: ``smallest`` (short
    side), smallest * scale, ... up to the final size, so pictures of any size share their coarse
    octaves, and a small one predicts a large one. Those above count among a number, and come on top of ``auto``.
    """
    short = min(final)
    if octaves == "auto":
        sides, side = [], float(smallest)
        while side * scale**0.5 < short:
            sides.append(side)
            side *= scale
        factors = [side / short for side in sides]
    else:
        above = min(above, octaves - 1)
        factors = [scale**-k for k in range(octaves - 1 - above, 0, -1)]
        factors = [factor for factor in factors if short * factor >= min(SMALLEST_OCTAVE, short)]
    found = [_scaled(final, factor) for factor in factors]
    below = [size for at, size in enumerate(found) if size != final and size not in found[:at]]
    return [*below, final, *(_scaled(final, scale**k) for k in range(1, above + 1))]


def _scaled(size: Size, factor: float) -> Size:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def start(
    detail: Literal["reinject", "lost", "carry"],
    source: Tensor,
    added: Tensor | None,
    dreamt: Tensor | None,
    spare: bool = False,
) -> Tensor:
    """The image an octave starts at, from the pristine ``source`` at its size.

    ``reinject``: the source plus all that was dreamt so far (DeepDream 2015); ``carry``: the
    source plus what the last octave alone added; ``lost``: the dreamt picture itself, enlarged,
    so that the source survives only at its coarsest. ``added`` and ``dreamt`` may have any size. What is
    returned lies in ``source`` itself where that can be spared, and is made channel by channel.
    """
    size = (source.shape[-2], source.shape[-1])
    if detail == "lost" and dreamt is not None:
        return resize(dreamt, size).clamp(0, 1)
    begun = source if spare else source.clone()
    if added is not None:
        for channel in range(source.shape[1]):
            begun[:, channel : channel + 1].add_(resize(added[:, channel : channel + 1], size)).clamp_(0, 1)
    return begun


def handed(
    detail: Literal["reinject", "lost", "carry"], source: Tensor, begun: Tensor, dreamt: Tensor
) -> Tensor:
    """What an octave hands to the next, from what it ``begun`` with and ``dreamt``, all [B, 3, H, W]: ``added`` of
    its :func:`start`, or with ``lost`` the dream itself."""
    if detail == "lost":
        return dreamt
    return dreamt - (begun if detail == "carry" else source)
