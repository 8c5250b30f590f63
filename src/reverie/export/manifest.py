"""A step graph and what an engine must know beside it: names, sizes, and numbers to test itself with."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reverie.ascent.gradient import image_gradient
from reverie.errors import OutputError, UsageError
from reverie.export.operations import Followed, follow, with_class_map
from reverie.export.step import step_graph
from reverie.network import Network
from reverie.objective import Objective, layer, log_probability, logit
from reverie.recipe import grammar

MANIFEST_SCHEMA = 1
CLASSES = "classes"  # the word for the class terms among the layers
EXACT, ROUNDED = (
    0.9999,
    0.97,
)  # cosine with PyTorch's gradient that an engine must reach, by how weights are stored
TEST_SIZE = (40, 56)  # (height, width) of the picture of the self-test


@dataclass(frozen=True)
class Part:
    """A layer of the graph: its path, other names, channels, and stride in pixels (0 where it has no places)."""

    name: str
    aliases: tuple[str, ...]
    channels: int
    stride: int


@dataclass(frozen=True)
class Manifest:
    """What stands in ``NETWORK.json``.

    ``file`` is the graph, ``sha256`` its hash, ``weights`` the hash by which a Record knows the network. ``classes``
    says whether class terms can be asked for, by the names of ``labels``, and ``mapped`` whether they are told at each
    place by a classifier that was made for the whole picture (a single class then has no log-probability). ``test`` has
    the terms, weights, scores and gradient (float32, base64) of a picture (:func:`waves`) as PyTorch finds them, and
    the cosine that is close enough.
    """

    network: str
    file: str
    sha256: str
    weights: str
    rounded: bool
    layers: tuple[Part, ...]
    classes: bool
    mapped: bool
    labels: tuple[str, ...]
    synsets: tuple[str, ...]
    objective: str
    default: str
    smallest: int
    motif: int
    test: dict[str, Any]
    reverie: int = MANIFEST_SCHEMA

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"


def default_layers(network: Network) -> tuple[str, ...]:
    """What is exported unasked: the layers that the network dreams by default, those for guides, and the classes."""
    names = (
        [target.name for target in grammar.parse_objective(network.objective)] if network.objective else []
    )
    names += network.guide.split("+") if network.guide else []
    found = [each.name for name in names if (each := network.layer(name.strip())) is not None]
    return tuple(dict.fromkeys([*found, *([CLASSES] if network.labels else [])]))


def export(
    network: Network, layers: Sequence[str], folder: Path, *, half: bool = False, overwrite: bool = False
) -> Manifest:
    """Write ``NETWORK.onnx`` and ``NETWORK.json`` into ``folder``, which is made where it is absent.

    ``layers`` are paths or other names of layers; the word ``classes`` is the class terms. ``half`` rounds all
    weights to 16 bits; without it those that fit are stored so. Raises :class:`UsageError` for a network that has no
    such graph, :class:`MissingError` without onnx, :class:`OutputError` where a file exists or cannot be written.

    >>> export(load("motif"), ["stage3", "classes"], Path("graphs"))  # doctest: +SKIP
    """
    parts, classes = _parts(network, layers)
    targets = [folder / f"{network.name}{suffix}" for suffix in (".onnx", ".json")]
    if not overwrite and (taken := next((each for each in targets if each.exists()), None)) is not None:
        raise OutputError(f"{taken} exists already; name another folder, or add [[overwrite=True]].")
    followed = _followed(network, [each.name for each in parts], classes)
    model, rounded = step_graph(network, followed, network.logits if classes else "", half)
    data = model.SerializeToString()
    known = network.layer(grammar.DEFAULT)
    manifest = Manifest(
        network=network.name,
        file=targets[0].name,
        sha256=hashlib.sha256(data).hexdigest(),
        weights=network.sha256,
        rounded=rounded,
        layers=parts,
        classes=classes,
        mapped=classes and not network.require_layer(network.logits).stride and network.class_map is not None,
        labels=network.labels if classes else (),
        synsets=network.synsets if classes else (),
        objective=network.objective,
        default=known.name if known is not None else "",
        smallest=network.smallest,
        motif=network.motif,
        test=_test(network, parts, classes, rounded),
    )
    _write(targets, [data, manifest.text().encode()])
    return manifest


def waves(size: tuple[int, int]) -> Tensor:
    """The picture [1, 3, H, W] of the self-test, by a formula: 0.5 + 0.4 sin(x/3 + y/(4 + c) + c)."""
    y, x = torch.meshgrid(*(torch.arange(side, dtype=torch.float64) for side in size), indexing="ij")
    waves = [torch.sin(x / 3 + y / (4 + channel) + channel) for channel in range(3)]
    return (0.5 + 0.4 * torch.stack(waves)).float()[None]


def _followed(network: Network, layers: Sequence[str], classes: bool) -> Followed:
    """What is to be computed; the classes at every place where the network tells only those of the whole picture."""
    found = network.class_map if classes and not network.require_layer(network.logits).stride else None
    if found is None:
        return follow(network, [*layers, *([network.logits] if classes else [])])
    kept = found.layer in layers
    return with_class_map(follow(network, dict.fromkeys([*layers, found.layer])), network.logits, found, kept)


def _parts(network: Network, layers: Sequence[str]) -> tuple[tuple[Part, ...], bool]:
    found: dict[str, Part] = {}
    classes = False
    for name in layers:
        if name == CLASSES:
            if not network.labels:
                raise UsageError(f"The network {network.name} has no classes; name its layers alone.")
            classes = True
            continue
        known = network.require_layer(name)
        if known.name == network.logits:
            classes = True
            continue
        found[known.name] = Part(known.name, known.aliases, known.channels, known.stride)
    if not found and not classes:
        raise UsageError("No layer is named; name one or more, as in [[layers=stage3,classes]].")
    return tuple(found.values()), classes


def _test(network: Network, parts: Sequence[Part], classes: bool, rounded: bool) -> dict[str, Any]:
    """Terms in the form of the graph's inputs, and what PyTorch finds for them."""
    objective = Objective(())
    rows: list[dict[str, Any]] = []
    for part in parts:
        objective += layer(part.name)
        rows.append({"layer": part.name})
    if classes:
        few = list(range(min(3, len(network.labels))))
        found = network.class_map if not network.require_layer(network.logits).stride else None
        objective += logit(network.logits, *few, classes=found)
        objective += log_probability(network.logits, *few[:2], classes=found)
        rows += [{"classes": few, "against": 0}, {"classes": few[:2], "against": 1}]
    image = waves(TEST_SIZE)
    scores, gradients = image_gradient(network, objective, image)
    # Weights that make all terms felt, so that a wrong one cannot hide behind a strong one.
    weights = 1 / gradients.abs().mean((1, 2, 3, 4)).clamp_min(1e-12)
    whole = torch.einsum("t,tbchw->bchw", weights, gradients)
    packed = base64.b64encode(np.ascontiguousarray(whole.numpy(), "<f4").tobytes()).decode()
    return {
        "size": list(TEST_SIZE),
        "terms": rows,
        "weights": weights.tolist(),
        "scores": scores[:, 0].tolist(),
        "gradient": packed,
        "cosine": ROUNDED if rounded else EXACT,
    }


def _write(targets: Sequence[Path], contents: Sequence[bytes]) -> None:
    """Write all files under temporary names first, then rename them."""
    waiting: list[Path] = []
    try:
        targets[0].parent.mkdir(parents=True, exist_ok=True)
        for target, content in zip(targets, contents, strict=True):
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            waiting.append(Path(name))
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(name, 0o644)
        for target, made in zip(targets, list(waiting), strict=True):
            made.replace(target)
            waiting.remove(made)
    except OSError as error:
        where = targets[0].parent
        raise OutputError(
            f"{where} cannot be written ({error.strerror}); name another folder with [[path]]."
        ) from None
    finally:
        for each in waiting:
            each.unlink(missing_ok=True)
