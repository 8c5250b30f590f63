"""ONNX nodes with names of their own; the only file that imports onnx."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from torch import Tensor

from reverie.errors import MissingError
from reverie.files.decoding import Array

OPSET = 17
IR_VERSION = 8  # what onnxruntime 1.10 and its web builds read


def library() -> Any:
    """The module onnx; :class:`MissingError` where it is not installed."""
    try:
        return importlib.import_module("onnx")
    except ImportError:
        raise MissingError(
            "Step graphs are written with onnx, which is not installed; run pip install 'reverie[web]'."
        ) from None


class Writer:
    """A graph under construction. ``half`` stores all weights in 16 bits, rounding those that need more."""

    def __init__(self, half: bool = False) -> None:
        self._onnx, self._half = library(), half
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._known: dict[tuple[Any, ...], str] = {}
        self._count = 0
        self.rounded = False

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        output = self._fresh(kind)
        self._nodes.append(self._onnx.helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def named(self, output: str, value: str) -> None:
        """Let ``value`` also go by the name ``output``."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [output]))

    def constant(self, values: Any, kind: Any = np.float32) -> str:
        """A small constant; equal ones are kept once."""
        array = np.asarray(values, kind)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = self._initializer(array, "constant")
        return self._known[key]

    def weight(self, tensor: Tensor) -> str:
        """Weights in float32 as they are computed with; stored in float16 where nothing, or ``half``, forbids it."""
        full: Array = tensor.detach().float().cpu().numpy()
        with np.errstate(over="ignore"):
            short = full.astype(np.float16)
        exact = bool(np.array_equal(short.astype(np.float32), full))
        if not exact and not (self._half and np.isfinite(short).all()):
            return self._initializer(full, "weight")
        self.rounded = self.rounded or not exact
        return self.node("Cast", self._initializer(short, "weight"), to=self._onnx.TensorProto.FLOAT)

    def model(
        self, inputs: dict[str, list[Any]], outputs: dict[str, list[Any]], about: dict[str, str]
    ) -> Any:
        """The checked model; shapes hold numbers or names of free dimensions."""
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        values = [
            [helper.make_tensor_value_info(name, kind, shape) for name, shape in each.items()]
            for each in (inputs, outputs)
        ]
        graph = helper.make_graph(self._nodes, "step", *values, initializer=self._constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="reverie"
        )
        model.ir_version = IR_VERSION
        helper.set_model_props(model, about)
        self._onnx.checker.check_model(model, full_check=True)
        return model

    def _fresh(self, kind: str) -> str:
        self._count += 1
        return f"{kind.lower()}_{self._count}"

    def _initializer(self, array: Array, kind: str) -> str:
        name = self._fresh(kind)
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name
