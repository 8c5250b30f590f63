"""``./mynet.py:factory``: a network out of a Python file of the user's own, which runs."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from reverie.errors import InputError, ReverieError, UnknownName
from reverie.network import Network
from reverie.zoo.adopt import colors
from reverie.zoo.adopt.keras import is_model
from reverie.zoo.adopt.modules import adopted, around, digest, imagenet_names, prepared, weighted
from reverie.zoo.adopt.names import Foreign
from reverie.zoo.adopt.probe import sentence
from reverie.zoo.weights import read_weights


def from_file(found: Foreign, weights: Path | None) -> Network:
    """The network that a function (or class, or module) of a Python file makes.

    It may be a Network of :func:`reverie.adopt`, which says what it takes, or a bare module, which is
    shown RGB in 0..1. With ``weights`` their tensors are put into it.
    """
    path = Path(found.what).expanduser()
    made = _called(path, found.factory)
    if isinstance(made, Network):
        network = replace(made, name=found.name)
    elif isinstance(made, nn.Module) or is_model(made):
        body = prepared(made, own=True)
        sight = colors.normalization(None, None, (0.0, 1.0), "rgb", body.channels)
        network = adopted(around(body, sight, found.name, named=imagenet_names))
    else:
        raise InputError(
            f"{found.name} gives a {type(made).__name__}; it must give a torch.nn.Module, a Keras model, or what "
            "reverie.adopt makes of one."
        )
    if weights is not None:
        return weighted(network, read_weights(weights))
    code = path.read_bytes() + digest(network.module).encode()
    return replace(network, sha256=hashlib.sha256(code).hexdigest())


def _called(path: Path, name: str) -> Any:
    with _beside(path):
        try:
            module = _imported(path)
            if not hasattr(module, name):
                own = [key for key in vars(module) if not key.startswith("_")]
                raise UnknownName("function", name, own, str(path))
            factory = getattr(module, name)
            if isinstance(factory, nn.Module | Network) or not callable(factory):
                return factory
            return factory()
        except ReverieError:
            raise
        except (Exception, SystemExit) as error:  # whatever the user's code does; a script may leave by sys.exit
            lines = [
                each.lineno
                for each in traceback.extract_tb(error.__traceback__)
                if Path(each.filename).name == path.name
            ]
            where = f", line {lines[-1]}" if lines else ""
            raise InputError(f"The file {path} fails{where}: {sentence(error)}.") from None


def _imported(path: Path) -> ModuleType:
    if not os.path.isfile(path):
        raise InputError(f"The file {path} does not exist; check its name and folder.")
    name = f"reverie_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # its suffix is .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles of the file look for it there
    spec.loader.exec_module(module)
    return module


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """What lies beside the file can be imported by it, as when Python runs it."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
