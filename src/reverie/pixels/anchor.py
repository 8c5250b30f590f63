"""Hold a dream to the light, the colors and the large forms of its source."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from reverie.pixels.ops import Size, mirrored, resize

_SIGMA = 1.5  # pixels of the small pictures that are compared
_LONGEST = 4096  # pixels of their long side: a ribbon must not ask for a picture of a million columns


@dataclass(frozen=True, eq=False)
class Anchor:
    """The ``source`` in small, [B, 3, h, w] in 0..1, and how far a dream is drawn back to it: ``realism``, 0..1.

    Light is drawn back by the share ``realism``, color by 1.4 times that share, in everything coarser than the detail
    that a dream may change: a twelfth of the short side at realism 0, a hundredth at 1 (standard deviation of the
    Gaussian that parts coarse from fine). Finer detail is left as it was dreamt.
    """

    source: Tensor
    realism: float

    @classmethod
    def of(cls, source: Tensor, realism: float) -> Anchor:
        """The anchor of a ``source`` [B, 3, H, W] in 0..1."""
        small = resize(source, _small((source.shape[-2], source.shape[-1]), realism))
        # An octave may go on in the very memory of its source.
        return cls(small.clone() if small is source else small, realism)

    def hold(self, image: Tensor, mask: Tensor | None = None) -> Tensor:
        """Draw ``image`` [B, 3, H, W] in 0..1 back to the source in place, and return it.

        Where a ``mask`` [B or 1, 1, H, W] in 0..1 is black, the image stays.
        """
        size = (image.shape[-2], image.shape[-1])
        small = (self.source.shape[-2], self.source.shape[-1])
        lost = _blurred(self.source.to(image) - resize(image, small))
        light = lost.mean(1, keepdim=True)
        change = self.realism * light + min(1.0, 1.4 * self.realism) * (lost - light)
        for channel in range(image.shape[1]):  # one at a time: the picture may be as large as the memory
            back = resize(change[:, channel : channel + 1], size)
            if mask is not None:
                back = back * mask
            image[:, channel : channel + 1].add_(back).clamp_(0, 1)
        return image


def _small(size: Size, realism: float) -> Size:
    """Size at which pictures of ``size`` are compared."""
    short = _SIGMA * (12 + 100 * realism**3)
    factor = min(1.0, short / min(size), _LONGEST / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _blurred(x: Tensor) -> Tensor:
    reach = round(3 * _SIGMA)
    at = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-(at**2) / (2 * _SIGMA**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, -1)
    x = F.conv2d(mirrored(x, reach, reach, 0, 0), kernel.unsqueeze(-1), groups=x.shape[1])
    return F.conv2d(mirrored(x, 0, 0, reach, reach), kernel.unsqueeze(-2), groups=x.shape[1])
