"""Weights files: read safely, told by content, fitted into a network or refused in a sentence."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import tarfile
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from reverie.errors import InputError
from reverie.network import Network
from reverie.zoo import caffemodel
from reverie.zoo.catalog import SIZES

ABOUT = "reverie"
"""The key of the metadata in files that we write."""

LARGEST_FILE = 2**31
"""No weights file of ours is larger; an archive that says so is not opened."""


@dataclass(frozen=True)
class State:
    """Tensors by key, what the file says of itself, and its SHA-256.

    ``caffe`` says that the keys and the order of channels are Caffe's; ``head`` stands for a head of
    that many classes where there are no tensors yet.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    sha256: str
    about: Mapping[str, str] = field(default_factory=dict)
    caffe: bool = False
    head: int = 0


def read_weights(path: Path) -> State:
    """The tensors of a safetensors, PyTorch or Caffe file, as float32, or of an archive with one in it.

    The kind is told by content, never by name. PyTorch files are read with ``weights_only``: one that
    would run code is refused. Raises :class:`InputError` for a file that is none of these.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"The weights file {path} does not exist; check its name and folder.") from None
    except OSError as error:
        raise InputError(f"The weights file {path} cannot be read: {error.strerror}.") from None
    digest = hashlib.sha256(content).hexdigest()
    if content[:2] == b"\x1f\x8b" or content[257:262] == b"ustar":
        content = _unpacked(path, content)
    tensors, about, caffe = _parsed(path, content)
    return State(path, {key: value.float() for key, value in tensors.items()}, digest, about, caffe)


def _parsed(path: Path, content: bytes) -> tuple[dict[str, Tensor], dict[str, str], bool]:
    if content[8:9] == b"{":
        return *_safetensors(path, content), False
    if content[:4] == b"PK\x03\x04" or content[:1] == b"\x80":
        return _pytorch(path, content), {}, False
    if caffemodel.plausible(content):
        return caffemodel.read_caffemodel(path, content), {}, True
    raise InputError(f"{path} is no weights file; give one in safetensors, PyTorch or Caffe format.")


def _unpacked(path: Path, content: bytes) -> bytes:
    """The one Caffe model in a tar archive. It is read, never unpacked to where the archive says."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            models = [each for each in archive if each.isfile() and each.name.endswith(".caffemodel")]
            if len(models) == 1 and 0 < models[0].size <= LARGEST_FILE:
                inside = archive.extractfile(models[0])
                assert inside is not None  # it is a file
                return inside.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        raise InputError(f"The archive {path} is damaged or cut short; fetch it again.") from None
    raise InputError(
        f"The archive {path} has {len(models)} Caffe models in it, not one; unpack it and give the weights file."
    )


def _safetensors(path: Path, content: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        tensors = safetensors.torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return tensors, header.get("__metadata__", {})
    except (SafetensorError, ValueError, OverflowError):
        raise InputError(f"The weights file {path} is damaged or cut short; fetch it again.") from None


def _pytorch(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        loaded = _unpickled(content)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error) or "Weights only" in str(error) or "GLOBAL" in str(error):
            raise InputError(
                f"The weights file {path} holds code, not only weights, and was not opened; "
                "save its state_dict instead."
            ) from None
        raise InputError(f"The weights file {path} is damaged or cut short; fetch it again.") from None
    except Exception:  # a broken archive fails in many ways, none of them documented
        raise InputError(f"The weights file {path} is damaged or cut short; fetch it again.") from None
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not loaded or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise InputError(f"The weights file {path} holds no state_dict; save the network's state_dict.")
    # DataParallel wraps the whole network, or (AlexNet) a part of it, into a "module".
    return {
        ".".join(part for part in str(key).split(".") if part != "module"): value
        for key, value in loaded.items()
    }


def _unpickled(content: bytes) -> Any:
    # From memory: given a path, torch would go by its suffix.
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except UnicodeDecodeError:  # Python 2 pickled it (Places365), and its strings were bytes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says that the encoding counts for nothing here; it does
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True, encoding="latin1")


def rename_tensors(state: State, blank: Callable[[], Network]) -> State:
    """``state`` under the keys of the network that ``blank`` builds, wherever a key's module is an alias of a layer.

    Packages publish one architecture under several layouts; a layout whose names are aliases loads like our own.
    """
    with torch.device("meta"):  # its names alone are wanted
        network = blank()
    own, found = network.module.state_dict().keys(), {}
    for key, value in state.tensors.items():
        module, dot, tensor = key.rpartition(".")
        path = module if key in own else network.aliases.get(module, module)
        found[f"{path}{dot}{tensor}"] = value
    return replace(state, tensors=found)


def filled(network: Network, state: State) -> Network:
    """``network`` with the tensors of ``state`` in it; :class:`InputError` when they do not fit."""
    # Files from before PyTorch 0.4.1 do not count batches, and nothing here reads the count.
    own = {
        key: value
        for key, value in network.module.state_dict().items()
        if key in state.tensors or not key.endswith(".num_batches_tracked")
    }
    for key, value in own.items():
        given = state.tensors.get(key)
        if given is None or given.shape != value.shape:
            raise InputError(
                f"The weights in {state.path} belong to another network than {network.name} "
                f"(its tensor {key} is {'missing' if given is None else 'of another shape'})."
            )
        if not torch.isfinite(given).all():
            raise InputError(f"The weights in {state.path} are damaged: {key} holds NaN or infinity.")
    network.module.load_state_dict({key: state.tensors[key] for key in own}, strict=False)
    return network


def class_count(name: str, state: State | None, key: str, fallback: int) -> int:
    """How many classes the head of a file has; :class:`InputError` when it has none of that name."""
    if state is None:
        return fallback
    if state.head:
        return state.head
    head = state.tensors.get(key)
    if head is None or head.ndim not in (2, 4) or not head.numel():
        raise InputError(
            f"The weights in {state.path} belong to another network than {name} (no tensor {key} that fits)."
        )
    return int(head.shape[0])


def labels(state: State | None, count: int) -> tuple[str, ...]:
    """The class names that a file of ours carries, ``count`` of them; none when it carries none."""
    if state is None or "labels" not in state.about:
        return ()
    try:
        names = json.loads(state.about["labels"])
    except ValueError:
        names = None
    if not isinstance(names, list) or len(names) != count or not all(isinstance(each, str) for each in names):
        raise InputError(f"The class names in {state.path} do not fit its weights; fetch it again.")
    return tuple(names)


def heads(network: Network) -> int:
    """How many classes the logits of ``network`` tell apart."""
    weight = network.module.get_submodule(network.logits).weight
    assert isinstance(weight, Tensor)
    return int(weight.shape[0])


def save_weights(path: Path, network: Network, about: Mapping[str, Any]) -> None:
    """Write the network's tensors as safetensors, and with them its normalization and ``about``.

    Raises OSError as it comes.
    """
    told = {"mean": network.mean, "std": network.std, **about}
    tensors = {key: value.contiguous() for key, value in network.module.state_dict().items()}
    path.write_bytes(safetensors.torch.save(tensors, {ABOUT: json.dumps(told)}))


def about(state: State) -> dict[str, Any]:
    """What :func:`save_weights` wrote of the network; nothing for any other file."""
    if ABOUT not in state.about:
        return {}
    try:
        told = json.loads(state.about[ABOUT])
        sides = [len([float(value) for value in told[key]]) for key in ("mean", "std")]
        if sides == [3, 3] and str(told["labels"]) in SIZES:
            return dict(told)
    except (ValueError, TypeError, KeyError):
        pass
    raise InputError(f"What {state.path} says of itself is damaged; fetch it again.")
