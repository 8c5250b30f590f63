"""TEST-ONLY: makes torchvision importable beside a CPU torch, so that our networks can be held against its own.

torchvision's wheel from PyPI brings a native library that wants CUDA and does not load without it; its
import then fails for want of the operators' schemas. Declaring them is enough for the classification
models, which use none of them. Nothing of this is shipped, and detection operators do not work here.
"""

from __future__ import annotations

from types import ModuleType

from torch import library

_BOXES = "Tensor input, Tensor rois, float scale, int h, int w"
_GRADIENT = "Tensor grad, Tensor rois, float scale, int h, int w, int b, int c, int height, int width"
_DEFORM = (
    "Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, int sh, int sw, int ph, int pw, "
    "int dh, int dw, int groups, int offset_groups, bool use_mask"
)
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float threshold) -> Tensor",
    f"roi_align({_BOXES}, int sampling, bool aligned) -> Tensor",
    f"_roi_align_backward({_GRADIENT}, int sampling, bool aligned) -> Tensor",
    f"ps_roi_align({_BOXES}, int sampling) -> (Tensor, Tensor)",
    f"_ps_roi_align_backward({_GRADIENT}, int sampling, Tensor mapping) -> Tensor",
    f"roi_pool({_BOXES}) -> (Tensor, Tensor)",
    f"_roi_pool_backward({_GRADIENT}, Tensor argmax) -> Tensor",
    f"ps_roi_pool({_BOXES}) -> (Tensor, Tensor)",
    f"_ps_roi_pool_backward({_GRADIENT}, Tensor mapping) -> Tensor",
    f"deform_conv2d({_DEFORM}) -> Tensor",
    f"_deform_conv2d_backward(Tensor grad, {_DEFORM}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)

_library: library.Library | None = None  # torch forgets the schemas when this goes


def models() -> ModuleType:
    """``torchvision.models``, whatever torch it stands beside."""
    global _library  # noqa: PLW0603
    try:
        import torchvision.models
    except RuntimeError:
        if _library is None:
            _library = library.Library("torchvision", "DEF")
            for schema in SCHEMAS:
                _library.define(schema)
        import torchvision.models
    return torchvision.models  # type: ignore[no-any-return]
