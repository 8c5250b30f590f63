"""Parameterizations: what the ascent really changes, and the image that it stands for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from reverie.pixels.ops import EPSILON, Size
from reverie.pixels.spectrum import correlated, decorrelated, envelope, unsquashed

_QUARTER = 4.0  # what lucid divides a picture by before it is squashed, so that it starts near gray


class Param(Protocol):
    """Something that stands for an image [B, 3, H, W] in 0..1, and can be moved.

    A frozen dataclass, so that :func:`dataclasses.replace` makes the same one around other ``values``.
    """

    @property
    def values(self) -> Tensor:
        """What the ascent changes: pixels, or a spectrum; of any shape [B, ...]."""

    def image(self) -> Tensor:
        """The image, differentiable in ``values``."""

    def moved(self, change: Tensor) -> Param:
        """``values + change``, brought back to where they mean an image."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """The image itself, kept within 0..1.

    ``headroom``, 0..1, is how far a change shrinks on its way to black or white, from the middle of the range on: with
    1 it is in proportion to the room that the channels of a pixel have left, so that a bright sky keeps its shades;
    with 0 it is cut off there.
    """

    values: Tensor
    headroom: float = 0.0

    def image(self) -> Tensor:
        return self.values

    def moved(self, change: Tensor) -> Pixels:
        return Pixels((self.values + self._eased(change, self.values)).clamp_(0, 1), self.headroom)

    def move(self, place: tuple[slice, slice], change: Tensor) -> None:
        """The same to the part of the picture at that ``place`` (rows, columns), where it lies."""
        part = self.values[..., *place]
        part.add_(self._eased(change, part)).clamp_(0, 1)

    def _eased(self, change: Tensor, values: Tensor) -> Tensor:
        if not self.headroom:
            return change
        room = torch.where(change > 0, 1 - values, values).mul_(2).clamp_(max=1)
        # One factor for the channels of a pixel, so that a change keeps its color; each counts as much as it changes.
        size = change.abs()
        room = (size * room).sum(1, keepdim=True) / size.sum(1, keepdim=True).clamp_min(EPSILON)
        return change * (1 - self.headroom * (1 - room))


@dataclass(frozen=True, eq=False)
class Fourier:
    """A spectrum of decorrelated colors, whitened by 1 / f^decay (lucid, Olah et al. 2017).

    ``values`` [B, 3, H, W // 2 + 1, 2] are its real and imaginary parts. Every frequency is then about as far
    from its goal as every other, so large forms grow as fast as speckle. ``decorrelate`` false leaves the
    colors as RGB.

    ``contrast``, above 0, bounds the standard deviation of the logits, the numbers before the sigmoid, around the mean
    of each channel. :meth:`moved` then keeps their mean too. Some networks otherwise drive a picture to black
    around one small bright object. None bounds nothing.
    """

    values: Tensor
    size: Size
    decay: float = 1.0
    decorrelate: bool = True
    contrast: float | None = None

    @classmethod
    def of(cls, image: Tensor, decay: float = 1.0, decorrelate: bool = True, contrast: float | None = None) -> Fourier:
        """The one whose image is ``image`` [B, 3, H, W] in 0..1, to within half a step of 8 bits.

        An image whose logits deviate by more than ``contrast`` keeps its own deviation as the bound.
        """
        size = (image.shape[-2], image.shape[-1])
        x = unsquashed(image)
        x = decorrelated(x) if decorrelate else x
        spectrum = torch.fft.rfft2(x) * _QUARTER / envelope(size, decay, x)
        made = cls(torch.view_as_real(spectrum), size, decay, decorrelate)
        if contrast is None:
            return made
        return replace(made, contrast=max(contrast, float(_deviation(made._logits()).max())))

    def image(self) -> Tensor:
        return self._logits().sigmoid()

    def moved(self, change: Tensor) -> Fourier:
        values = self.values + change
        if self.contrast is None:
            return replace(self, values=values)
        values[..., 0, 0, :] = self.values[..., 0, 0, :]
        # The logits are linear in the spectrum: one factor for all frequencies but the mean keeps the forms.
        deviation = _deviation(replace(self, values=values)._logits())
        values *= (self.contrast / deviation.clamp_min(EPSILON)).clamp_max(1)[..., None]
        values[..., 0, 0, :] = self.values[..., 0, 0, :]
        return replace(self, values=values)

    def _logits(self) -> Tensor:
        spectrum = torch.view_as_complex(self.values) * envelope(self.size, self.decay, self.values)
        x = torch.fft.irfft2(spectrum, s=self.size) / _QUARTER
        return correlated(x) if self.decorrelate else x


def _deviation(logits: Tensor) -> Tensor:
    """Standard deviation [B, 1, 1, 1] of logits [B, 3, H, W] around the mean of each channel."""
    centered = logits - logits.mean((2, 3), keepdim=True)
    return centered.square().mean((1, 2, 3), keepdim=True).sqrt()


@dataclass(frozen=True, eq=False)
class Phase:
    """The phases of a spectrum whose magnitudes stay what they are (MACO, Fel et al. 2023).

    ``values`` [B, 3, H, W // 2 + 1] are angles in radians, ``magnitude`` of that shape. Nothing can grow stronger
    than it is in the picture at the start, so no speckle does. The paper's standardizing is not needed: a picture's
    deviation follows from its magnitudes (Parseval). With ``held``, :meth:`moved` keeps the mean of each color, whose
    phase is a sign and no position: another phase would turn light into dark.
    """

    values: Tensor
    magnitude: Tensor
    size: Size
    held: bool = False

    @classmethod
    def of(cls, image: Tensor, held: bool = False) -> Phase:
        """The one whose image is ``image`` [B, 3, H, W] in 0..1, to within half a step of 8 bits."""
        spectrum = torch.fft.rfft2(decorrelated(unsquashed(image)))
        return cls(spectrum.angle(), spectrum.abs(), (image.shape[-2], image.shape[-1]), held)

    def image(self) -> Tensor:
        x = torch.fft.irfft2(torch.polar(self.magnitude, self.values), s=self.size)
        return correlated(x).sigmoid()

    def moved(self, change: Tensor) -> Phase:
        values = self.values + change
        if self.held:
            values[..., 0, 0] = self.values[..., 0, 0]
        return replace(self, values=values)
