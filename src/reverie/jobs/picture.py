"""A finished dream, on its way to a file, a notebook, Pillow or numpy."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image as PillowImage
from torch import Tensor

from reverie import files
from reverie.pixels.ops import Size, size_of, unit
from reverie.recipe.record import Record


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """A finished dream: ``pixels`` [1, 3, H, W] in 0..1, sRGB, with alpha, profile and Record.

    The Record is None for a frame on the way, which it would not replay. ``depth`` is that of its file, 8 or 16 bits a
    sample. A notebook shows the picture, and numpy and matplotlib take it as an array: ``plt.imshow(picture)``.
    """

    pixels: Tensor
    record: Record | None
    alpha: Tensor | None = None
    profile: bytes | None = None
    depth: Literal[8, 16] = 8

    def save(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        metadata: bool = True,
        depth: Literal[8, 16] | None = None,
    ) -> Path:
        """Write it whole or not at all (PNG, JPEG, WebP, TIFF by the suffix), the Record inside.

        ``depth`` 16 writes 16 bits a sample (PNG and TIFF); by default that of the picture. Raises
        :class:`OutputError` where it cannot be written or exists.
        """
        return files.save(path, self.pixels, overwrite=overwrite, **self._contents(metadata, depth))

    def write(
        self,
        file: BinaryIO,
        suffix: str = ".png",
        *,
        metadata: bool = True,
        depth: Literal[8, 16] | None = None,
    ) -> None:
        """What :meth:`save` would write, into an open binary file that can seek."""
        files.write(file, self.pixels, suffix, **self._contents(metadata, depth))

    def _contents(self, metadata: bool, depth: Literal[8, 16] | None) -> dict[str, Any]:
        depth = depth or self.depth
        told = self.record.model_copy(update={"depth": depth}).text() if metadata and self.record else None
        return {"alpha": self.alpha, "profile": self.profile, "text": told, "depth": depth}

    @property
    def size(self) -> Size:
        """(height, width) in pixels."""
        return size_of(self.pixels)

    @property
    def image(self) -> PillowImage.Image:
        """The picture for Pillow, 8 bits a sample: RGB, or RGBA where it has alpha."""
        return PillowImage.fromarray(self._array())

    def numpy(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The pixels as uint8 [H, W, 3]."""
        return files.to_uint8(self.pixels)

    def _array(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        if self.alpha is None:
            return self.numpy()
        alpha = files.to_uint8(unit(self.alpha).expand(1, 3, -1, -1))
        return np.concatenate([self.numpy(), alpha[..., :1]], axis=2)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """The pixels as uint8 [H, W, 3], or [H, W, 4] where the picture has alpha."""
        return np.array(self._array(), dtype=dtype)

    def __repr__(self) -> str:
        what = "a frame on the way"
        if self.record is not None:
            recipe = self.record.recipe
            what = f"{recipe.objective or 'dreamt'} by {recipe.network}"
        return f"<Picture {self.size[1]}x{self.size[0]}: {what}>"

    def _repr_png_(self) -> bytes:
        files.write(buffer := io.BytesIO(), self.pixels)
        return buffer.getvalue()
