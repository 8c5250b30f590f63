"""``keras:applications.NAME`` and ``keras:FILE``."""

from __future__ import annotations

import hashlib
import io
import json
import random
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import URLError

from reverie.errors import InputError, MissingError, UnknownName
from reverie.network import Network
from reverie.zoo.adopt import colors
from reverie.zoo.adopt.adapter import ImageAdapter
from reverie.zoo.adopt.keras import body, import_keras
from reverie.zoo.adopt.modules import adopted, around, digest, imagenet_names
from reverie.zoo.adopt.names import Foreign
from reverie.zoo.adopt.probe import sentence
from reverie.zoo.fetch import is_offline

UNSAFE = ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper")
"""Parts of a Keras file that bring code along."""

LARGEST_DESCRIPTION = 2**26  # bytes of a model's description


def keras_application(found: Foreign, weights: Path | None, offline: bool, blank: bool) -> Network:
    """``keras:applications.NAME`` with ImageNet's weights or those of a file; ``blank``: with random ones."""
    keras = import_keras()
    known = [name for name, each in vars(keras.applications).items() if callable(each) and name[0].isupper()]
    if found.what not in known:
        raise UnknownName("Keras application", found.what, known)
    build = getattr(keras.applications, found.what)
    with _seeded():
        if blank or weights is not None:
            model = build(weights=None, classifier_activation=None)
        else:
            model = _published(build, found.name, offline or is_offline())
    if weights is not None:
        _load(model, weights, found.name)
    made = _made(model, _way_in(keras, build), found.name, fresh=True)
    return adopted(_hashed(made, weights) if weights is not None else made)


def _published(build: Any, name: str, offline: bool) -> Any:
    try:
        # Keras tells of its download on stdout, where results for programs go.
        with _blocked() if offline else redirect_stdout(sys.stderr):
            return build(weights="imagenet", classifier_activation=None)
    except Exception as error:  # Keras wraps what its download says into one of its own
        reason = "Reverie is offline" if offline else sentence(error)
    raise MissingError(
        f"The weights of {name} are not here ({reason}); give a file with [[weights=FILE]], or take random ones "
        f"with {name}@random."
    )


@contextmanager
def _blocked() -> Iterator[None]:
    """Nothing is fetched inside: Keras asks the network by urllib, and has no switch of its own."""

    class Refusing(urllib.request.BaseHandler):
        def default_open(self, _request: urllib.request.Request) -> NoReturn:
            raise URLError("offline")

    before = urllib.request._opener  # type: ignore[attr-defined]
    urllib.request.install_opener(urllib.request.build_opener(Refusing()))
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        urllib.request.install_opener(before)


@contextmanager
def _seeded() -> Iterator[None]:
    """Keras draws the seeds of its random weights from Python; the same ones each time, so that they replay."""
    before = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(before)


def _load(model: Any, weights: Path, name: str) -> None:
    if not weights.is_file():
        raise InputError(f"The weights file {weights} does not exist; check its name and folder.")
    try:
        model.load_weights(str(weights))
    except Exception as error:  # whatever h5py and Keras make of a damaged file
        raise InputError(f"The weights in {weights} do not fit {name} ({sentence(error)}).") from None


def model_file(found: Foreign) -> Network:
    """``keras:FILE``: a whole model in Keras' format or the older HDF5, opened in Keras' safe mode."""
    path = Path(found.what).expanduser()
    if not path.is_file():
        raise InputError(f"The Keras model {path} does not exist; check its name and folder.")
    keras = import_keras()
    try:
        description = _description(path)
    except Exception as error:  # whatever zipfile, h5py and json make of a damaged file
        raise InputError(f"{path} is no Keras model, or damaged ({sentence(error)}).") from None
    if description is None:
        raise InputError(
            f"{path} holds weights alone, no model; name the model, as in [[network=keras:applications.VGG16]] "
            "[[weights=FILE]]."
        )
    if brings := next(_code(description), None):
        raise InputError(
            f"The Keras model {path} brings code along ({brings}) and was not opened; make it in a Python file of "
            "your own and name that, as in ./mynet.py:factory."
        )
    try:
        model = keras.saving.load_model(str(path), compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras makes of a damaged file
        raise InputError(f"The Keras model {path} cannot be opened ({sentence(error)}).") from None
    return adopted(_hashed(_made(model, _guessed(keras, model), found.name), path))


def _description(path: Path) -> Any:
    """What a file says that its model is made of; None where it says nothing."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > LARGEST_DESCRIPTION:
                raise ValueError("its description is far too long")
            return json.loads(archive.read("config.json"))
    import h5py

    with h5py.File(path, "r") as file:
        text = file.attrs.get("model_config")
    return None if text is None else json.loads(text)


def _code(part: Any) -> Iterator[str]:
    """What in a description would bring code along: lambdas, and classes from outside of Keras."""
    if isinstance(part, dict):
        kind, origin = part.get("class_name"), part.get("module")
        if kind in UNSAFE:
            yield f"a {kind.strip('_')} layer"
        if (
            isinstance(origin, str)
            and "class_name" in part
            and origin.split(".")[0] not in ("keras", "builtins")
        ):
            yield f"{origin}.{kind}"
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _code(each)


def _way_in(keras: Any, build: Any) -> ImageAdapter | None:
    """What an application's own preprocess_input does."""
    module = getattr(keras.applications, build.__module__.rpartition(".")[2], None)
    enter: Any = getattr(module, "preprocess_input", None)
    if enter is None:
        return None
    return colors.probed(lambda x: enter(x.numpy() * 255, data_format="channels_first"))


def _guessed(keras: Any, model: Any) -> ImageAdapter | None:
    """A file does not say what its model takes: an application's name does, or a layer that rescales."""
    name = _plain(model.name)
    builders = {
        _plain(key): each
        for key, each in vars(keras.applications).items()
        if callable(each) and key[0].isupper()
    }
    fits = [key for key in builders if name.startswith(key) or (len(name) > 4 and key.startswith(name))]
    if fits:
        return _way_in(keras, builders[max(fits, key=len)])
    rescaling = (keras.layers.Rescaling, keras.layers.Normalization)
    for layer in _in_order(model):
        if isinstance(layer, rescaling):
            return colors.normalization(None, None, (0.0, 255.0), "rgb", 3)
        if any(len(each.shape) == 4 for each in layer.weights):
            break  # the first convolution: what is rescaled behind it is no picture
    return None


def _in_order(model: Any) -> Iterator[Any]:
    """The layers of a model, those of models within it too: augmentation is often a model of its own."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _in_order(layer)
        else:
            yield layer


def _plain(name: str) -> str:
    return "".join(each for each in name.lower() if each.isalnum())


def _made(model: Any, sight: ImageAdapter | None, name: str, fresh: bool = False) -> Network:
    prepared = body(model, own=True, fresh=fresh)
    if sight is None or sight.color.shape[0] != prepared.channels:
        sight = colors.normalization(None, None, (0.0, 1.0), "rgb", prepared.channels)
    made = around(prepared, sight, name, named=imagenet_names)
    return replace(made, sha256=digest(made.module))


def _hashed(network: Network, file: Path) -> Network:
    return replace(network, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
