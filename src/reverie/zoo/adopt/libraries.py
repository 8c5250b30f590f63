"""``torchvision:NAME`` and ``timm:NAME``: the models of two libraries, with the weights that they publish."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import torch

from reverie.errors import MissingError, UnknownName
from reverie.network import Network
from reverie.zoo.adopt import colors
from reverie.zoo.adopt.adapter import ImageAdapter
from reverie.zoo.adopt.modules import adopted, around, digest, imagenet_names, prepared, weighted
from reverie.zoo.adopt.names import Foreign
from reverie.zoo.adopt.probe import sentence
from reverie.zoo.fetch import is_offline
from reverie.zoo.unwrapping import unwrapped
from reverie.zoo.weights import read_weights


def _library(name: str, models: str) -> ModuleType:
    """A library's models; :class:`MissingError` where it is not here or does not fit this torch."""
    try:
        return importlib.import_module(models)
    except ModuleNotFoundError as error:
        raise MissingError(
            f"{name}:... needs {error.name}, which is not installed; run pip install 'reverie[{name}]'."
        ) from None
    except Exception as error:  # a native library that does not fit fails in many ways
        try:
            found = version("torchvision")
        except PackageNotFoundError:
            found = "(of unknown version)"
        raise MissingError(
            f"torchvision {found} and torch {torch.__version__} are not a pair ({sentence(error)}); install both "
            "together from one index, as pytorch.org/get-started says, or take one of Reverie's own networks, which "
            "need no torchvision."
        ) from None


def from_torchvision(found: Foreign, weights: Path | None, offline: bool, blank: bool) -> Network:
    """``torchvision:NAME``: classification and segmentation; ``blank``: with random weights."""
    models = _library("torchvision", "torchvision.models")
    known = [name for part in (models, models.segmentation) for name in models.list_models(module=part)]
    if found.what not in known:
        raise UnknownName("torchvision model", found.what, known)
    official = models.get_model_weights(found.what).DEFAULT
    normal = official.transforms()
    sight = colors.normalization(normal.mean, normal.std, (0.0, 1.0), "rgb", 3)

    # Their own start values take minutes; and the body of a segmentation would be fetched.
    quick: dict[str, Any] = {"init_weights": False} if found.what in _PORTED else {}
    if found.what in models.list_models(module=models.segmentation):
        quick = {"weights_backbone": None}

    def build(**options: Any) -> torch.nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # the same random weights each time, so that they replay
            made: torch.nn.Module = models.get_model(found.what, **{"weights": None, **quick, **options})
        return made

    def fetched() -> torch.nn.Module:
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(official.url).path).name
        if (offline or is_offline()) and not file.is_file():
            raise MissingError(_absent(found.name, "Reverie is offline", file.name))
        try:
            state = official.get_state_dict(progress=False, check_hash=True, weights_only=True)
        except Exception as error:  # any way a download can fail
            raise MissingError(_absent(found.name, sentence(error), file.name)) from None
        options = {"transform_input": True} if found.what in _PORTED else {}
        made = build(**options)
        made.load_state_dict(state)
        return made

    return _made(found, sight, build, fetched, weights, blank)


_PORTED = ("googlenet", "inception_v3")  # from TensorFlow; they turn ImageNet's normalization into their own


def from_timm(found: Foreign, weights: Path | None, offline: bool, blank: bool) -> Network:
    """``timm:NAME``; transformers take pictures of any size where timm can stretch their positions."""
    timm = _library("timm", "timm")
    if not timm.is_model(found.what):
        raise UnknownName("timm model", found.what, timm.list_models())

    def build(**options: Any) -> torch.nn.Module:
        free: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {})
        for sized in free:
            try:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(0)
                    made: torch.nn.Module = timm.create_model(found.what, **sized, **options)
                return made
            except TypeError:
                if not sized:
                    raise
        raise AssertionError  # one of the two returned or raised

    def fetched() -> torch.nn.Module:
        if not (offline or is_offline()):
            try:
                return build(pretrained=True)
            except Exception as error:  # any way a download can fail
                raise MissingError(_absent(found.name, sentence(error))) from None
        from huggingface_hub import try_to_load_from_cache

        about = timm.get_pretrained_cfg(found.what)
        names = [about.hf_hub_filename or "model.safetensors", "pytorch_model.bin"]
        held = [try_to_load_from_cache(about.hf_hub_id, name) for name in names] if about.hf_hub_id else []
        file = next((each for each in held if isinstance(each, str)), None)
        if file is None:
            raise MissingError(_absent(found.name, "Reverie is offline"))
        return build(pretrained=True, pretrained_cfg_overlay={"file": file})

    about = timm.data.resolve_data_config({}, pretrained_cfg=_config(timm, found.what))
    sight = colors.normalization(about["mean"], about["std"], (0.0, 1.0), "rgb", about["input_size"][0])
    return _made(found, sight, build, fetched, weights, blank, about["input_size"][1], _many)


def _config(timm: ModuleType, name: str) -> dict[str, Any]:
    about = timm.get_pretrained_cfg(name)
    return about.to_dict() if about is not None else {}


def _many(count: int) -> tuple[str, ...]:
    """The names of ImageNet's classes, or of one of the larger sets that timm knows by their number."""
    if names := imagenet_names(count):
        return names
    data: Any = importlib.import_module("timm.data")

    for subset in ("imagenet-12k", "imagenet-21k-goog", "imagenet-21k", "imagenet-21k-miil"):
        info = data.ImageNetInfo(subset)
        if info.num_classes() == count:
            return tuple(info.index_to_description(at) for at in range(count))
    return ()


def _absent(name: str, reason: str, file: str = "") -> str:
    fits = f" ({file} fits)" if file else ""
    return (
        f"The weights of {name} are not here ({reason}); give a file with [[weights=FILE]]{fits}, or take random "
        f"ones with {name}@random."
    )


def _made(
    found: Foreign,
    sight: ImageAdapter,
    build: Callable[..., torch.nn.Module],
    fetched: Callable[[], torch.nn.Module],
    weights: Path | None,
    blank: bool,
    hint: int = 0,
    named: Callable[[int], tuple[str, ...]] = imagenet_names,
) -> Network:
    def network(module: torch.nn.Module) -> Network:
        body = replace(prepared(module, own=True), hint=hint)
        return around(body, sight, found.name, named=named, bf16=True)

    if weights is None:
        made = network(build() if blank else fetched())
        return adopted(replace(made, sha256=digest(made.module)))
    state, made = read_weights(weights), network(build())
    head = unwrapped(state, lambda: made).tensors.get(f"{made.logits}.weight") if made.logits else None
    if head is not None and len(head) != len(made.module.get_submodule(made.logits).weight):  # type: ignore[arg-type]
        made = network(build(num_classes=len(head)))  # taught other classes
    return adopted(weighted(made, state))
