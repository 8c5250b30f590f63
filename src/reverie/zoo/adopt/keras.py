"""Keras 3 models on its torch backend: each layer a module with hooks, pictures turned to where they belong."""

from __future__ import annotations

import os
import re
import sys
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from reverie.errors import MissingError, UsageError
from reverie.zoo.adopt.probe import Body

FLAT = ("softmax", "sigmoid")
"""Activations that flatten class scores: dreaming wants what stands before them."""


def import_keras() -> ModuleType:
    """Keras, on torch.

    Raises :class:`MissingError` without it, :class:`UsageError` where it runs on another backend.
    """
    if "keras" not in sys.modules:
        chosen = os.environ.setdefault("KERAS_BACKEND", "torch")
        if chosen != "torch":
            raise UsageError(
                f"KERAS_BACKEND is set to {chosen}, and Reverie needs Keras on torch; say KERAS_BACKEND=torch."
            )
    try:
        import keras
    except ModuleNotFoundError as error:
        raise MissingError(
            f"Keras models need {error.name}, which is not installed; run pip install 'reverie[keras]'."
        ) from None
    if not hasattr(keras, "version") or int(keras.version().partition(".")[0]) < 3:
        raise MissingError("Keras models need Keras 3 or newer; run pip install --upgrade 'reverie[keras]'.")
    if (backend := keras.config.backend()) != "torch":
        raise UsageError(
            f"Keras runs on {backend} here, and Reverie needs it on torch; set KERAS_BACKEND=torch before Keras is "
            "first imported."
        )
    return keras  # type: ignore[no-any-return]


def is_model(module: object) -> bool:
    """Whether that is a Keras layer or model; Keras is not imported for it."""
    found = any(each.__module__.split(".")[0] in ("keras", "tf_keras") for each in type(module).__mro__)
    if found and not isinstance(module, nn.Module):
        raise UsageError(
            "The Keras model was made on another backend than torch; set KERAS_BACKEND=torch before Keras is first "
            "imported."
        )
    return found


class KerasModule(nn.Module):
    """A Keras model as a torch module: [B, C, H, W] in, its layers below it by their Keras paths."""

    def __init__(self, model: Any, last: bool, layers: dict[str, Any]) -> None:
        super().__init__()
        self._held = (model,)  # a tuple, so that torch counts each weight once
        self._last = last
        for path, layer in layers.items():
            if layer.built:
                layer.torch_params  # noqa: B018  (Keras registers weights when they are first asked for)
            self.add_module(path, layer)

    def forward(self, x: Tensor) -> Any:
        (model,) = self._held
        keras = import_keras()
        with keras.device(str(x.device)):
            # A Functional model checks its declared size in __call__ alone; its layers know better.
            free = isinstance(model, keras.Sequential) or hasattr(model, "operations")
            run = model.call if free else model
            return run(x.permute(0, 2, 3, 1) if self._last else x, training=False)

    def __deepcopy__(self, _memo: dict[int, Any]) -> KerasModule:
        return self  # Keras copies through a file, which custom layers do not survive


def body(model: Any, own: bool, fresh: bool = False) -> Body:
    """A Keras model ready to be tried out; a copy of somebody else's, where Keras can make one.

    ``fresh``: it was built a moment ago, and the numbers in its layers' names count what was built before.
    """
    keras = import_keras()
    if not own and isinstance(model, keras.Model):
        try:
            copied = keras.models.clone_model(model)
            copied.set_weights(model.get_weights())
            model, own = copied, True
        except Exception:  # subclassed models cannot be copied; then it is adopted itself
            pass
    shape = _shape(model)
    last = _last(model, shape)
    layers = _renumbered(_layers(model)) if fresh else _layers(model)
    logits = _uncovered(model, layers, own)
    channels = shape[-1 if last else 1] if len(shape) == 4 else 3
    hint = shape[1 if last else 2] if len(shape) == 4 else None
    module = KerasModule(model, last, layers).eval()
    return Body(module, 1 if channels == 1 else 3, last, logits, hint or 0, bf16=False)


def _renumbered(layers: dict[str, Any]) -> dict[str, Any]:
    """conv2d_94, conv2d_95, ... as conv2d, conv2d_1, ...: what a fresh process would have called them."""
    numbers: dict[str, list[tuple[int, str]]] = {}
    for path, layer in layers.items():
        words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)
        kind = re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
        if found := re.fullmatch(rf"{kind}(?:_(\d+))?", path):
            numbers.setdefault(kind, []).append((int(found[1] or 0), path))
    named = {
        path: f"{kind}_{at}" if at else kind
        for kind, each in numbers.items()
        for at, (_, path) in enumerate(sorted(each))
    }
    return {named.get(path, path): layer for path, layer in layers.items()}


def _shape(model: Any) -> tuple[Any, ...]:
    """The declared shape of the picture, () where none is declared."""
    shape = getattr(model, "input_shape", None) if getattr(model, "built", False) else None
    if isinstance(shape, list | dict) or (shape and isinstance(shape[0], tuple | list)):
        inputs = list(shape.values()) if isinstance(shape, dict) else list(shape)
        if len(inputs) != 1:
            raise UsageError(
                f"The Keras model {model.name} takes {len(inputs)} inputs, and a dream has one picture."
            )
        shape = inputs[0]
    if shape is not None and len(shape) != 4:
        raise UsageError(f"The Keras model {model.name} takes {tuple(shape)}, which is no picture.")
    return tuple(shape or ())


def _last(model: Any, shape: tuple[Any, ...]) -> bool:
    """Whether channels come last."""
    if len(shape) == 4 and (shape[1] in (1, 3)) != (shape[3] in (1, 3)):
        return bool(shape[3] in (1, 3))
    formats = [getattr(layer, "data_format", None) for layer in _layers(model).values()]
    known = [each for each in formats if each in ("channels_last", "channels_first")]
    return str((known or [import_keras().config.image_data_format()])[0]) == "channels_last"


def _layers(model: Any, prefix: str = "") -> dict[str, Any]:
    """Every layer by its Keras path (outer/inner), what is inside of layers and models too."""
    found: dict[str, Any] = {}
    for layer in getattr(model, "layers", None) or getattr(model, "_layers", []):
        path = plain = prefix + layer.name.replace(".", "_")
        number = 2
        while path in found:
            path, number = f"{plain}_{number}", number + 1
        # The inner ones first: torch calls a module by the first of its names, and layers may hold theirs
        # by private names too.
        found |= _layers(layer, f"{path}/")
        found[path] = layer
    return found


def _uncovered(model: Any, layers: dict[str, Any], own: bool) -> str:
    """The path of a model's class scores, "" where that is unknown; where it is ours, its softmax is taken off."""
    outputs = getattr(model, "outputs", None) or []
    if len(outputs) != 1 or not hasattr(outputs[0], "_keras_history"):
        return ""
    keras = import_keras()
    operation = outputs[0]._keras_history.operation
    if isinstance(operation, keras.layers.Softmax | keras.layers.Activation):
        operation = operation.input._keras_history.operation
    if own and getattr(getattr(operation, "activation", None), "__name__", "") in FLAT:
        operation.activation = keras.activations.linear
    return next((path for path, layer in layers.items() if layer is operation), "")
