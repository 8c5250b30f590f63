"""From RGB in 0..1 to what a network takes: numbers that people know, or functions that they have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from reverie.errors import UsageError
from reverie.pixels.ops import LUMA
from reverie.zoo.adopt.adapter import ImageAdapter, as_tensor

ColorFunction = Callable[[Tensor], Any]
Range = tuple[float, float]


def normalization(
    mean: Sequence[float] | float | None,
    std: Sequence[float] | float | None,
    range: Range,
    order: Literal["rgb", "bgr"],
    channels: int,
) -> ImageAdapter:
    """The picture brought into ``range``, in that ``order``, minus ``mean``, divided by ``std``.

    Mean and std are in the units of ``range`` and in the network's own order. Raises :class:`UsageError`.
    """
    low, high = _numbers("range", range, 2)
    if low >= high:
        raise UsageError(f"range must be (low, high), as in (0, 255) or (-1, 1), not {range!r}.")
    if order not in ("rgb", "bgr"):
        raise UsageError(f"order must be 'rgb' or 'bgr', not {order!r}.")
    if channels not in (1, 3):
        raise UsageError(f"channels must be 1 (gray) or 3 (color), not {channels!r}.")
    shift = torch.tensor(_numbers("mean", 0.0 if mean is None else mean, channels), dtype=torch.float64)
    scale = torch.tensor(_numbers("std", 1.0 if std is None else std, channels), dtype=torch.float64)
    if not bool((scale > 0).all()):
        raise UsageError(f"std must be above 0, not {std!r}.")
    color = torch.eye(3, dtype=torch.float64) if channels == 3 else torch.tensor([LUMA], dtype=torch.float64)
    if order == "bgr":
        color = color.flip(0)
    return ImageAdapter(color * (high - low) / scale[:, None], (low - shift) / scale)


def _numbers(what: str, value: Any, count: int) -> list[float]:
    try:
        found = (
            [float(each) for each in value]
            if isinstance(value, Sequence | Tensor)
            else [float(value)] * count
        )
    except (TypeError, ValueError):
        found = []
    if len(found) == 1:
        found = found * count
    if len(found) != count or not all(abs(each) < float("inf") for each in found):
        raise UsageError(f"{what} must be {count} finite number{'s' * (count > 1)}, not {value!r}.")
    return found


def probed(function: ColorFunction) -> ImageAdapter:
    """The same as ``function``, which maps each pixel alike by a matrix and an offset, from four samples of it.

    ``function`` takes RGB [B, 3, H, W] in 0..1.
    """
    samples = torch.cat([torch.zeros(1, 3), torch.eye(3)]).to(torch.float64)
    seen = as_tensor(function(samples[:, :, None, None])).to(torch.float64)[:, :, 0, 0]
    return ImageAdapter((seen[1:] - seen[0]).T.contiguous(), seen[0].clone())


def functions(preprocess: ColorFunction, deprocess: ColorFunction | None) -> ImageAdapter:
    """Your own way into the network, held against your way back.

    ``preprocess`` takes RGB [B, 3, H, W] in 0..1 and gives [B, C, H, W]; ``deprocess`` the reverse. The
    pair must undo each other within 1/50. Where ``preprocess`` passes no gradient (numpy, Pillow), the
    gradient goes the way of ``deprocess``, its color matrix inverted. Raises :class:`UsageError`.
    """
    image = 0.2 + 0.6 * torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    x, opaque = _into(preprocess, image)
    if x.shape[1] == 1:
        image = image[:, :1].expand(-1, 3, -1, -1).contiguous()
        x, opaque = _into(preprocess, image)
    if deprocess is None:
        if opaque:
            raise UsageError(
                "preprocess passes no gradient; write it with torch's operations, or give deprocess too."
            )
        return ImageAdapter(torch.zeros(x.shape[1], 3), torch.zeros(x.shape[1]), preprocess)
    back = _back(deprocess, x)
    if back.shape != image.shape:
        raise UsageError(
            f"deprocess must give RGB {list(image.shape)} in 0..1 for {list(x.shape)}, not {list(back.shape)}."
        )
    if not (off := float((back - image).abs().max())) < 0.02:
        raise UsageError(
            f"deprocess does not undo preprocess: of an image in 0..1 it gives back one that differs by {off:.3g}; "
            "check range, mean and the order of channels."
        )
    return ImageAdapter(_inverse(deprocess, x), torch.zeros(x.shape[1]), preprocess, opaque)


def _into(preprocess: ColorFunction, image: Tensor) -> tuple[Tensor, bool]:
    """What ``preprocess`` makes of ``image``, and whether the gradient is lost on the way."""
    asked = image.clone().requires_grad_()
    opaque = False
    try:
        x = preprocess(asked)
        opaque = not (isinstance(x, Tensor) and x.requires_grad)
    except Exception:  # numpy, say, does not take what has a gradient
        opaque = True
    try:
        x = as_tensor(preprocess(image)).float() if opaque else x.detach()
    except Exception as error:
        raise UsageError(
            f"preprocess fails on an image {list(image.shape)} in 0..1: {_said(error)}."
        ) from None
    if x.ndim != 4 or x.shape[0] != 1 or x.shape[1] not in (1, 3) or x.shape[2:] != image.shape[2:]:
        raise UsageError(
            f"preprocess must give [B, C, H, W] of the same height and width, C 1 or 3, for {list(image.shape)}, "
            f"not {list(x.shape)}; the size that a network takes goes into size=."
        )
    return x, opaque


def _back(deprocess: ColorFunction, x: Tensor) -> Tensor:
    try:
        return as_tensor(deprocess(x)).float()
    except Exception as error:
        raise UsageError(
            f"deprocess fails on what preprocess gave, {list(x.shape)}: {_said(error)}."
        ) from None


def _inverse(deprocess: ColorFunction, x: Tensor) -> Tensor:
    """The color matrix [C, 3] of the way in, from the way back around a middle gray."""
    middle = x.mean((2, 3), keepdim=True).expand_as(x)
    small = x.std((2, 3), keepdim=True).clamp_min(1e-6)
    columns = []
    for channel in range(x.shape[1]):
        moved = middle.clone()
        moved[:, channel] += small[:, channel]
        difference = (_back(deprocess, moved) - _back(deprocess, middle)).mean((0, 2, 3))
        columns.append(difference / small[0, channel, 0, 0])
    inverse: Tensor = torch.linalg.pinv(torch.stack(columns, 1).double())
    return inverse


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".")[:200]


def callable_or_none(what: str, function: Any) -> ColorFunction | None:
    """``function`` where it can be called with one thing; :class:`UsageError` where it is something else."""
    if function is not None and not callable(function):
        raise UsageError(f"{what} must be a function, not {type(function).__name__}.")
    return function  # type: ignore[no-any-return]
