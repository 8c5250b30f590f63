"""The step graph: forward pass, scores of all terms, and gradients of their weighted sums, as ONNX nodes.

A term t has the score ::

    sum over layers l  of  mean over places (sum over channels c of  energy[l][t, c] a_c^2 / 2C  +  mean[l][t, c] a_c)
    + mean over places (2 LSE_t - against[t] (LSE_t + LSE_all))

where LSE_t is the log of the sum of exp(logit / 2) over the classes that row t of ``classes`` marks with 1, and
LSE_all that over all classes: with ``against`` 0 a soft maximum of logits, with 1 a log-probability. These are the
terms ``layer``, ``mean``, ``channel``, ``logit`` and ``log_probability`` of :mod:`reverie.objective`. A row of zeros
has no part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from reverie.export.operations import CLASS_MAP, Followed, Operation
from reverie.export.writer import Writer
from reverie.network import Network

TEMPERATURE = 2.0  # of the soft maximum of classes, as in objective.logit
FAR = 1e4  # what is taken from the logit of a class that is not meant: its share becomes 0

Shape = list[Any]


def step_graph(network: Network, followed: Followed, classes: str, half: bool = False) -> tuple[Any, bool]:
    """The ONNX model of one step, and whether weights were rounded to 16 bits.

    Its inputs are ``image`` [1, 3, H, W] in 0..1, ``weights`` [R, T], for each layer ``LAYER/energy`` and
    ``LAYER/mean`` [T, C], and where ``classes`` names the layer of the logits ``classes`` [T, K] and ``against`` [T].
    Its outputs are ``scores`` [T], unweighted, and ``gradient`` [R, 3, H, W], one for each row of weights. H, W, T and
    R are free.
    """
    graph = Writer(half)
    inputs: dict[str, Shape] = {"image": [1, 3, "height", "width"], "weights": ["sums", "terms"]}
    mean, std = (graph.constant(np.reshape(each, (1, 3, 1, 1))) for each in (network.mean, network.std))
    values = {"image": graph.node("Div", graph.node("Sub", "image", mean), std)}
    for each in followed.operations:
        values[each.output] = _FORWARD[each.kind](graph, each, values)

    gradients: dict[str, list[str]] = {}
    scores = []
    for layer, value in followed.outputs.items():
        places = values[value] if value == CLASS_MAP else _mapped(graph, values[value], network, layer)
        if layer == classes:
            inputs |= {"classes": ["terms", len(network.labels)], "against": ["terms"]}
            score, gradient = _classes(graph, places)
        else:
            channels = network.require_layer(layer).channels
            inputs |= {f"{layer}/{kind}": ["terms", channels] for kind in ("energy", "mean")}
            score, gradient = _layer(graph, places, layer, channels)
        scores.append(score)
        gradients.setdefault(value, []).append(_shaped(graph, gradient, values[value]))

    for each in reversed(followed.operations):
        arrived = _total(graph, gradients.pop(each.output))
        for name, gradient in zip(
            each.inputs, _ADJOINT[each.kind](graph, each, values, arrived), strict=True
        ):
            gradients.setdefault(name, []).append(gradient)

    graph.named("scores", _total(graph, scores))
    graph.named("gradient", graph.node("Div", _total(graph, gradients["image"]), std))
    outputs: dict[str, Shape] = {"scores": ["terms"], "gradient": ["sums", 3, "height", "width"]}
    about = {"network": network.name, "weights": network.sha256}
    return graph.model(inputs, outputs, about), graph.rounded


def _shaped(graph: Writer, gradients: str, like: str) -> str:
    """Some gradients, each shaped like the value ``like`` [1, ...]."""
    rest = graph.node("Slice", graph.node("Shape", like), _whole(graph, [1]), _whole(graph, [4]))
    return graph.node("Reshape", gradients, graph.node("Concat", _whole(graph, [-1]), rest, axis=0))


def _total(graph: Writer, parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else graph.node("Sum", *parts)


def _mapped(graph: Writer, value: str, network: Network, layer: str) -> str:
    """An activation as [1, C, h, w], also where it has no places."""
    if network.require_layer(layer).stride:
        return value
    return graph.node(
        "Reshape", value, graph.constant([1, network.require_layer(layer).channels, 1, 1], np.int64)
    )


def _layer(graph: Writer, a: str, layer: str, channels: int) -> tuple[str, str]:
    """Scores [T] of the terms at a layer, and the gradients [R, C, h, w] of their weighted sums."""
    energy, mean = f"{layer}/energy", f"{layer}/mean"
    half = graph.constant(0.5 / channels)
    squares = graph.node("ReduceMean", graph.node("Mul", a, a), axes=[2, 3], keepdims=0)
    means = graph.node("ReduceMean", a, axes=[2, 3], keepdims=0)
    found = [
        graph.node("MatMul", weights, graph.node("Transpose", each, perm=[1, 0]))
        for weights, each in ((energy, squares), (mean, means))
    ]
    score = graph.node("Add", graph.node("Mul", found[0], half), found[1])

    count = graph.node("Cast", graph.node("Size", a), to=1)  # float32
    share = graph.node("Div", graph.constant(float(channels)), count)  # 1 / places
    column = _whole(graph, [-1, channels, 1, 1])
    by_value, plain = (
        graph.node("Reshape", graph.node("Mul", graph.node("MatMul", "weights", each), share), column)
        for each in (energy, mean)
    )
    by_value = graph.node("Mul", by_value, graph.constant(1.0 / channels))
    gradient = graph.node("Add", graph.node("Mul", a, by_value), plain)
    return graph.node("Reshape", score, _whole(graph, [-1])), gradient


def _classes(graph: Writer, logits: str) -> tuple[str, str]:
    """Scores [T] of the class terms, and the gradients [R, K * P] of their weighted sums, for P places."""
    shape = graph.node("Shape", logits)
    count = graph.node("Slice", shape, _whole(graph, [1]), _whole(graph, [2]))
    last = _whole(graph, [-1])
    flat = graph.node("Reshape", logits, graph.node("Concat", count, last, axis=0))  # [K, P]
    flat = graph.node("Mul", flat, graph.constant(1 / TEMPERATURE))
    marks = graph.node("Unsqueeze", "classes", _whole(graph, [2]))  # [T, K, 1]
    absent = graph.node("Mul", graph.node("Sub", marks, graph.constant(1.0)), graph.constant(FAR))
    meant, share = _soft_maximum(graph, graph.node("Add", flat, absent), 1)  # [T, P], [T, K, P]
    every, share_of_all = _soft_maximum(graph, flat, 0)  # [P], [K, P]

    active = graph.node("ReduceMax", "classes", axes=[1], keepdims=1)  # [T, 1]
    against = graph.node("Unsqueeze", "against", _whole(graph, [1]))  # [T, 1]
    factor = graph.node("Mul", graph.node("Sub", graph.constant(TEMPERATURE), against), active)
    against = graph.node("Mul", against, active)
    places = graph.node("Sub", graph.node("Mul", factor, meant), graph.node("Mul", against, every))
    score = graph.node("ReduceMean", places, axes=[1], keepdims=0)

    ahead, behind = (
        graph.node("Mul", "weights", graph.node("Squeeze", each, _whole(graph, [1])))
        for each in (factor, against)
    )  # [R, T]
    rows = graph.node(
        "Reshape", share, graph.node("Concat", graph.node("Shape", "against"), last, axis=0)
    )  # [T, K * P]
    every_row = graph.node("Reshape", share_of_all, _whole(graph, [1, -1]))
    total = graph.node(
        "Sub",
        graph.node("MatMul", ahead, rows),
        graph.node("Mul", graph.node("ReduceSum", behind, _whole(graph, [1]), keepdims=1), every_row),
    )
    sides = graph.node(
        "Cast", graph.node("Slice", graph.node("Shape", flat), _whole(graph, [1]), _whole(graph, [2])), to=1
    )
    gradient = graph.node("Div", graph.node("Mul", total, graph.constant(1 / TEMPERATURE)), sides)
    return score, gradient


def _soft_maximum(graph: Writer, x: str, axis: int) -> tuple[str, str]:
    """log sum exp of ``x`` over an axis, and each entry's share in it; the largest is taken out first."""
    largest = graph.node("ReduceMax", x, axes=[axis], keepdims=1)
    risen = graph.node("Exp", graph.node("Sub", x, largest))
    along = graph.constant([axis], np.int64)
    total = graph.node("ReduceSum", risen, along, keepdims=1)
    logarithm = graph.node("Add", graph.node("Log", total), largest)
    return graph.node("Squeeze", logarithm, along), graph.node("Div", risen, total)


def _forward_conv(graph: Writer, each: Operation, values: Mapping[str, str]) -> str:
    assert each.weight is not None
    assert each.bias is not None
    weight, bias = graph.weight(each.weight), graph.weight(each.bias)
    values[f"{each.output}/weight"] = weight  # type: ignore[index]
    return graph.node(
        "Conv",
        values[each.inputs[0]],
        weight,
        bias,
        kernel_shape=list(each.weight.shape[2:]),
        strides=list(each.stride),
        group=each.groups,
        **({"auto_pad": "SAME_UPPER"} if each.same else {"pads": [*each.padding, *each.padding]}),
    )


def _adjoint_conv(graph: Writer, each: Operation, values: Mapping[str, str], g: str) -> list[str]:
    assert each.weight is not None
    weight, kernel = values[f"{each.output}/weight"], list(each.weight.shape[2:])
    if each.stride == (1, 1) and not each.same:
        # A convolution with the turned kernel: runtimes have faster code for it than for a transposed one.
        if each.groups == 1:
            weight = graph.node("Transpose", weight, perm=[1, 0, 2, 3])
        ends = [-1, -1], [-(2**31), -(2**31)], [2, 3], [-1, -1]
        weight = graph.node("Slice", weight, *(graph.constant(end, np.int64) for end in ends))
        around = [side - 1 - pad for side, pad in zip(kernel, each.padding, strict=True)]
        return [
            graph.node("Conv", g, weight, kernel_shape=kernel, pads=[*around, *around], group=each.groups)
        ]
    wide = graph.node(
        "ConvTranspose",
        g,
        weight,
        kernel_shape=kernel,
        strides=list(each.stride),
        output_padding=[side - 1 for side in each.stride],
        group=each.groups,
    )
    # Cut to the input's place: where the stride does not divide the side, some of it was never read.
    sides, axes = _sides(graph, values[each.inputs[0]]), graph.constant([2, 3], np.int64)
    first = graph.constant(each.padding, np.int64)
    if each.same:
        read = graph.node(
            "Mul",
            graph.node("Sub", _sides(graph, g), graph.constant([1, 1], np.int64)),
            _whole(graph, each.stride),
        )
        total = graph.node("Sub", graph.node("Add", read, _whole(graph, kernel)), sides)
        first = graph.node("Div", graph.node("Max", total, _whole(graph, (0, 0))), _whole(graph, (2, 2)))
    return [graph.node("Slice", wide, first, graph.node("Add", first, sides), axes)]


def _whole(graph: Writer, values: Sequence[int]) -> str:
    """Whole numbers as a constant."""
    return graph.constant(list(values), np.int64)


def _sides(graph: Writer, value: str) -> str:
    """Height and width of a value, as integers [2]."""
    return graph.node("Slice", graph.node("Shape", value), _whole(graph, [2]), _whole(graph, [4]))


def _forward_scale(graph: Writer, each: Operation, values: Mapping[str, str]) -> str:
    assert each.weight is not None
    assert each.bias is not None
    factor, shift = (graph.weight(part.view(1, -1, 1, 1)) for part in (each.weight, each.bias))
    values[f"{each.output}/weight"] = factor  # type: ignore[index]
    return graph.node("Add", graph.node("Mul", values[each.inputs[0]], factor), shift)


def _adjoint_scale(graph: Writer, each: Operation, values: Mapping[str, str], g: str) -> list[str]:
    return [graph.node("Mul", g, values[f"{each.output}/weight"])]


def _forward_relu6(graph: Writer, each: Operation, values: Mapping[str, str]) -> str:
    return graph.node("Clip", values[each.inputs[0]], graph.constant(0.0), graph.constant(6.0))


def _adjoint_relu(graph: Writer, each: Operation, values: Mapping[str, str], g: str) -> list[str]:
    # What a ReLU gives is 0 or above: its sign says where gradient passes.
    return [graph.node("Mul", g, graph.node("Sign", values[each.output]))]


def _adjoint_relu6(graph: Writer, each: Operation, values: Mapping[str, str], g: str) -> list[str]:
    below = graph.node("Sign", graph.node("Sub", graph.constant(6.0), values[each.output]))
    return [graph.node("Mul", graph.node("Mul", g, graph.node("Sign", values[each.output])), below)]


def _adjoint_pool(graph: Writer, each: Operation, values: Mapping[str, str], g: str) -> list[str]:
    x = values[each.inputs[0]]
    count = graph.node("Cast", graph.node("ReduceProd", _sides(graph, x), keepdims=0), to=1)
    return [graph.node("Expand", graph.node("Div", g, count), graph.node("Shape", x))]


def _forward_linear(graph: Writer, each: Operation, values: Mapping[str, str]) -> str:
    assert each.weight is not None
    assert each.bias is not None
    weight = graph.weight(each.weight)
    values[f"{each.output}/weight"] = weight  # type: ignore[index]
    return graph.node("Gemm", values[each.inputs[0]], weight, graph.weight(each.bias), transB=1)


_FORWARD: dict[str, Callable[[Writer, Operation, Mapping[str, str]], str]] = {
    "conv": _forward_conv,
    "scale": _forward_scale,
    "relu": lambda graph, each, values: graph.node("Relu", values[each.inputs[0]]),
    "relu6": _forward_relu6,
    "add": lambda graph, each, values: graph.node("Add", *(values[name] for name in each.inputs)),
    "pool": lambda graph, each, values: graph.node("GlobalAveragePool", values[each.inputs[0]]),
    "flatten": lambda graph, each, values: graph.node("Flatten", values[each.inputs[0]], axis=1),
    "linear": _forward_linear,
}

_ADJOINT: dict[str, Callable[[Writer, Operation, Mapping[str, str], str], list[str]]] = {
    "conv": _adjoint_conv,
    "scale": _adjoint_scale,
    "relu": _adjoint_relu,
    "relu6": _adjoint_relu6,
    "add": lambda graph, each, values, g: [g, g],
    "pool": _adjoint_pool,
    "flatten": lambda graph, each, values, g: [_shaped(graph, g, values[each.inputs[0]])],
    "linear": lambda graph, each, values, g: [graph.node("MatMul", g, values[f"{each.output}/weight"])],
}
