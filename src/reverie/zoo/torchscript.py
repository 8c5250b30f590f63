"""The tensors of a TorchScript archive, read without running any of its code."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
"""The kinds of storage that hold plain numbers, as a pickle names them, and their types."""


class _Part:
    """A module of the archive: its attributes, and nothing that runs."""

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state if isinstance(state, dict) else {})


def is_torchscript(archive: zipfile.ZipFile) -> bool:
    """Whether a zip archive is a network with its program (``torch.jit.save``), not a saved state dict."""
    return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(archive: zipfile.ZipFile) -> dict[str, Any]:
    """The attributes of the network in ``archive``, nested like its modules, with their tensors.

    The program is not loaded: classes become empty ones, and only tensors are rebuilt. Raises whatever a damaged
    archive leads to; the caller turns that into its sentence.
    """
    (main,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
    found = _Reader(archive, main.removesuffix("data.pkl")).load()
    made: dict[str, Any] = _nested(found)
    return made


def _nested(value: Any) -> Any:
    if isinstance(value, _Part):
        value = value.__dict__
    if isinstance(value, Mapping):
        return {str(key): _nested(each) for key, each in value.items()}
    return value


class _Reader(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{folder}data.pkl")))
        self.archive, self.folder = archive, folder
        self.read: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name in the pickle: storages, tensors and dictionaries; all else is empty."""
        if module == "torch" and name in STORAGES:
            return name
        if module == "collections" and name == "OrderedDict":
            return dict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self.tensor()
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda data, *_rest: data
        if module == "torch.jit._pickle":
            return lambda *arguments: list(arguments[0]) if arguments else []
        return type(name, (_Part,), {})

    def persistent_load(self, number: Any) -> Tensor:
        """The numbers of a storage, flat."""
        _, kind, key, _device, _count = number
        key = str(key)
        if key not in self.read:
            content = bytearray(self.archive.read(f"{self.folder}data/{key}"))
            dtype = STORAGES[kind]
            self.read[key] = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        return self.read[key]

    def tensor(self) -> Any:
        """The function that makes a view of a storage, new for each name so that a pickle can change none of ours."""

        def rebuilt(flat: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_rest: Any) -> Tensor:
            # torch refuses a view that leaves the storage.
            return torch.as_strided(flat, size, stride, offset)

        return rebuilt
