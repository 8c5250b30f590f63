"""Weights files of every kind: told by content, read without running code, bounded before memory is taken."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pickle
import re
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from reverie.errors import InputError
from reverie.zoo import caffemodel
from reverie.zoo.torchscript import is_torchscript, read_torchscript

LARGEST_FILE = 2**31
"""No weights file of ours is larger; an archive that says so is not opened."""

LARGEST_SET = 2**34
"""Bytes of one file, or of all parts of a divided one, that are read."""

SPARE_NUMBERS = 2**22
"""Numbers that a file may have beyond 8 for each of its bytes: sparse and quantized ones are small."""

DEEPEST = 8
"""Levels of dictionaries within one another that are looked through."""

_SHARD = re.compile(r"(.*-)(\d{5})(-of-(\d{5})\..+)")
_INDEX = ".index.json"

STRANGERS = {
    b"version https://git-lfs": "is the pointer of Git LFS, not the file itself; run git lfs pull",
    b"<!doctype": "is a web page; download the weights themselves",
    b"<html": "is a web page; download the weights themselves",
    b"\x89hdf": "is in HDF5, Keras' older format; name it as a network instead: [[network=keras:FILE]]",
    b"gguf": "is in GGUF, for language models; give one in safetensors or PyTorch format",
}
"""What files begin with that people take for weights, in lower case, and what to say of them."""


@dataclass(frozen=True)
class State:
    """Tensors by key, what the file says of itself, and its SHA-256.

    ``caffe`` says that the keys and the order of channels are Caffe's; ``head`` stands for a head of
    that many classes where there are no tensors yet; ``note`` is a sentence for the user.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    sha256: str
    about: Mapping[str, str] = field(default_factory=dict)
    caffe: bool = False
    head: int = 0
    note: str = ""


def read_weights(path: Path) -> State:
    """The tensors of a safetensors, PyTorch, TorchScript or Caffe file, as dense float32, or of an archive with one.

    The kind is told by content, never by name. PyTorch files are read with ``weights_only``: one that
    would run code is refused. Of dictionaries in dictionaries the keys are joined by dots. A file that is one part of
    several brings the others, and so does their index. Raises :class:`InputError` for a file that is none of these.
    """
    if path.name.endswith(_INDEX):
        return _joined(path, _indexed(path))
    if (part := _SHARD.fullmatch(path.name)) and int(part[4]) > 1:
        count = int(part[4])
        return _joined(path, [path.with_name(f"{part[1]}{at:05d}{part[3]}") for at in range(1, count + 1)])
    return _read(path)


def _read(path: Path) -> State:
    content = _content(path)
    digest = hashlib.sha256(content).hexdigest()
    try:
        tensors, about, caffe = _parsed(path, content)
        dense = _dense(path, tensors, 8 * len(content) + SPARE_NUMBERS)
    except InputError:
        raise
    except Exception:  # a broken file fails in many ways, few of them documented
        raise _damaged(path) from None
    return State(path, dense, digest, about, caffe)


def _content(path: Path) -> bytes:
    """The bytes of a regular file that is not too large."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            what = "a folder" if stat.S_ISDIR(about.st_mode) else "no regular file"
            raise InputError(f"The weights file {path} is {what}; name the file with the weights.")
        if about.st_size > LARGEST_SET:
            raise InputError(f"The weights file {path} has {about.st_size} bytes; at most {LARGEST_SET} are read.")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"The weights file {path} does not exist; check its name and folder.") from None
    except OSError as error:
        raise InputError(f"The weights file {path} cannot be read: {error.strerror}.") from None


def _damaged(path: Path) -> InputError:
    return InputError(f"The weights file {path} is damaged or cut short; fetch it again.")


def _indexed(path: Path) -> list[Path]:
    """The files that an index names, all of them beside it."""
    try:
        names = sorted(set(json.loads(_content(path))["weight_map"].values()))
        plain = all(isinstance(name, str) and Path(name).name == name for name in names)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        names, plain = [], False
    if not names or not plain:
        raise InputError(f"The index {path} names no weights files beside it; fetch it again.")
    return [path.with_name(name) for name in names]


def _joined(path: Path, parts: list[Path]) -> State:
    """One state out of several files; its SHA-256 is that of theirs, in order."""
    if missing := [each.name for each in parts if not each.is_file()]:
        raise InputError(
            f"The weights {path} are divided into {len(parts)} files, and {missing[0]} is not beside it; "
            "fetch it into its folder."
        )
    if sum(each.stat().st_size for each in parts) > LARGEST_SET:
        raise InputError(f"The parts of {path} have more than {LARGEST_SET} bytes together, which is not read.")
    states = [_read(each) for each in parts]
    tensors = {key: value for each in states for key, value in each.tensors.items()}
    digest = hashlib.sha256("".join(each.sha256 for each in states).encode()).hexdigest()
    return State(path, tensors, digest, states[0].about)


def _parsed(path: Path, content: bytes) -> tuple[dict[str, Any], dict[str, str], bool]:
    if content[:2] == b"\x1f\x8b" or content[257:262] == b"ustar":
        content = _unpacked(path, content)
    if content[8:9] == b"{":
        return *_safetensors(path, content), False
    if content[:4] == b"PK\x03\x04" or content[:1] == b"\x80":
        return _pytorch(path, content), {}, False
    start = content[:64].lstrip().lower()
    for mark, what in STRANGERS.items():
        if start.startswith(mark):
            raise InputError(f"{path} {what}.")
    if caffemodel.plausible(content):
        return caffemodel.read_caffemodel(path, content), {}, True
    raise InputError(f"{path} is no weights file; give one in safetensors, PyTorch or Caffe format.")


def _unpacked(path: Path, content: bytes) -> bytes:
    """The one Caffe model in a tar archive, or what was packed by gzip alone. Nothing is written anywhere."""
    try:
        if content[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(content)) as packed:
                start = packed.read(512)
                if start[257:262] != b"ustar":
                    return _plain(path, start + packed.read(LARGEST_FILE))
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            models = [each for each in archive if each.isfile() and each.name.endswith(".caffemodel")]
            if len(models) == 1 and 0 < models[0].size <= LARGEST_FILE:
                inside = archive.extractfile(models[0])
                assert inside is not None  # it is a file
                return inside.read()
    except InputError:
        raise
    except Exception:
        raise InputError(f"The archive {path} is damaged or cut short; fetch it again.") from None
    raise InputError(
        f"The archive {path} has {len(models)} Caffe models in it, not one; unpack it and give the weights file."
    )


def _plain(path: Path, content: bytes) -> bytes:
    if len(content) >= LARGEST_FILE:
        raise InputError(f"The packed file {path} has more than {LARGEST_FILE} bytes inside; unpack it yourself.")
    return content


def _safetensors(path: Path, content: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        tensors = safetensors.torch.load(content)
    except RecursionError:
        raise InputError(f"What {path} says of itself is nested too deeply to be read; fetch it again.") from None
    except KeyError as error:  # torch has no such type of number
        raise InputError(
            f"The weights file {path} holds numbers of the type {str(error.args[0])[:20]}, which torch cannot "
            "compute with; give one with F32, F16 or BF16."
        ) from None
    about = header.get("__metadata__") or {}
    return tensors, {str(key): str(value) for key, value in about.items()}


def _pytorch(path: Path, content: bytes) -> dict[str, Any]:
    loaded: Any
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(each.file_size for each in archive.infolist()) > 4 * len(content) + 4 * SPARE_NUMBERS:
                raise InputError(f"The weights file {path} unpacks to far more than it is; fetch it again.")
            loaded = read_torchscript(archive) if is_torchscript(archive) else None
    else:
        loaded = None
    if loaded is None:
        try:
            loaded = _unpickled(content)
        except pickle.UnpicklingError as error:
            if "weights_only" in str(error) or "Weights only" in str(error) or "GLOBAL" in str(error):
                raise InputError(
                    f"The weights file {path} holds code, not only weights, and was not opened; "
                    "save its state_dict instead."
                ) from None
            raise
    found = dict(_flat(loaded))
    if not found:
        raise InputError(f"The weights file {path} holds no state_dict; save the network's state_dict.")
    return found


def _unpickled(content: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of quantized and of sparse tensors; what they are is seen to here
        # From memory: given a path, torch would go by its suffix.
        try:
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except UnicodeDecodeError:  # Python 2 pickled it (Places365), and its strings were bytes
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True, encoding="latin1")


def _flat(loaded: Any, prefix: str = "", depth: int = 0) -> list[tuple[str, Tensor]]:
    """Every tensor in dictionaries within one another, keys joined by dots."""
    found: list[tuple[str, Tensor]] = []
    if isinstance(loaded, Mapping) and depth < DEEPEST:
        for key, value in loaded.items():
            name = f"{prefix}.{key}" if prefix else str(key)
            if isinstance(value, Tensor):
                found.append((name, value))
            else:
                found += _flat(value, name, depth + 1)
    return found


def _dense(path: Path, tensors: Mapping[str, Tensor], most: int) -> dict[str, Tensor]:
    """``tensors`` as plain float32, ``most`` numbers in all."""
    found = {}
    for key, value in tensors.items():
        said = f"{key[:80]!r}"
        if value.is_nested:
            raise InputError(f"The weights file {path} holds a nested tensor ({said}), which no network has.")
        if value.is_meta:
            raise InputError(
                f"The weights file {path} holds names without numbers ({said} is on the meta device); save the network "
                "after its weights are loaded."
            )
        if value.is_complex():
            raise InputError(f"The weights file {path} holds complex numbers ({said}), which no network here has.")
        most -= value.numel()
        if most < 0:
            raise InputError(
                f"The weights file {path} claims more numbers than it holds ({said} is {list(value.shape)}); "
                "save its tensors with .contiguous()."
            )
        found[key] = _strided(value).float()
    return found


def _strided(value: Tensor) -> Tensor:
    """A quantized or sparse tensor as a plain one; indices that point outside of it raise."""
    if value.is_quantized:
        return value.dequantize()
    if value.layout == torch.strided:
        return value
    if value.layout == torch.sparse_coo:
        indices, numbers = value._indices(), value._values()
        return torch.sparse_coo_tensor(indices, numbers, value.shape, check_invariants=True).to_dense()
    with torch.sparse.check_sparse_tensor_invariants():  # type: ignore[no-untyped-call]
        if value.layout in (torch.sparse_csr, torch.sparse_bsr):
            parts = value.crow_indices(), value.col_indices(), value.values()
        elif value.layout in (torch.sparse_csc, torch.sparse_bsc):
            parts = value.ccol_indices(), value.row_indices(), value.values()
        else:
            return value.to_dense()
        made: Tensor = torch.sparse_compressed_tensor(*parts, value.shape, layout=value.layout)
        return made.to_dense()
