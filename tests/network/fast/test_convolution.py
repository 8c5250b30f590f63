"""Convolutions as one call, and every way back through them, against torch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from reverie.network.fast import convolution
from reverie.network.fast.convolution import Convolution, Same, one_call
from reverie.network.padding import SameConv2d
from tests.oracle.networks import noise

CHANNELS_LAST = torch.channels_last


@given(
    inputs=st.sampled_from([1, 3, 4, 6]),
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    stride=st.integers(1, 4),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    sides=st.tuples(st.integers(8, 20), st.integers(8, 20)),
    relu=st.booleans(),
    shortcut=st.booleans(),
)
def test_a_convolution_in_one_call_is_a_convolution(
    inputs: int,
    kernel: tuple[int, int],
    stride: int,
    padding: tuple[int, int],
    sides: tuple[int, int],
    relu: bool,
    shortcut: bool,
) -> None:
    conv = nn.Conv2d(inputs, 5, kernel, stride, padding).double().requires_grad_(False)
    x = noise(2, inputs, *sides, dtype=torch.float64).requires_grad_()
    y = conv(x)
    other = noise(*y.shape, seed=2, dtype=torch.float64).requires_grad_() if shortcut else None
    if other is not None:
        y = y - other * -1
    y = y.relu() if relu else y
    given_back = noise(*y.shape, seed=3, dtype=torch.float64) - 0.5
    leaves = [x] if other is None else [x, other]
    expected = torch.autograd.grad(y, leaves, given_back)
    own = Convolution(conv, relu)(x, other)
    torch.testing.assert_close(own, y)
    for found, wanted in zip(torch.autograd.grad(own, leaves, given_back), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_few_channels_at_a_stride_come_back_without_the_stride(monkeypatch: pytest.MonkeyPatch) -> None:
    conv = nn.Conv2d(3, 8, 7, 2, 3).double()
    own = Convolution(conv)
    assert own.unfolded is not None
    taken: list[tuple[int, ...]] = []
    original = convolution._input_gradient

    def watched(g: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        taken.append(tuple(weight.shape))
        return original(g, weight, *rest)

    monkeypatch.setattr(convolution, "_input_gradient", watched)
    own(noise(1, 3, 20, 20, dtype=torch.float64).requires_grad_()).sum().backward()
    assert taken == [(8, 12, 4, 4)]
    assert Convolution(nn.Conv2d(8, 8, 7, 2, 3)).unfolded is None
    assert Convolution(nn.Conv2d(3, 8, 7, 1, 3)).unfolded is None


def test_a_sum_that_broadcasts_is_still_the_sum() -> None:
    conv = nn.Conv2d(3, 5, 3).double()
    x, other = noise(1, 3, 9, 9, dtype=torch.float64), noise(1, 5, 1, 1, dtype=torch.float64)
    torch.testing.assert_close(Convolution(conv, relu=True)(x, other), (conv(x) + other).relu())


@given(
    kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    stride=st.integers(1, 3),
    sides=st.tuples(st.integers(1, 13), st.integers(1, 13)),
    depthwise=st.booleans(),
    limit=st.sampled_from([None, 0.3]),
    scattered=st.booleans(),
)
def test_padding_like_tensorflow_is_made_of_the_kernel(
    kernel: tuple[int, int],
    stride: int,
    sides: tuple[int, int],
    depthwise: bool,
    limit: float | None,
    scattered: bool,
) -> None:
    groups = 6 if depthwise else 1
    conv = SameConv2d(6, 6, kernel, stride, groups=groups).double().requires_grad_(False)
    x = noise(2, 6, *sides, dtype=torch.float64).requires_grad_()
    y = conv(x)
    assert y.shape[2:] == tuple(-(-side // stride) for side in sides)
    y = y.clamp(0, limit)
    given_back = noise(*y.shape, seed=3, dtype=torch.float64) - 0.5
    (expected,) = torch.autograd.grad(y, x, given_back)
    with pytest.MonkeyPatch.context() as patch:
        if scattered and depthwise:
            patch.setattr(convolution, "_scatters", lambda conv: True)
        own = Same(conv, True, True, limit)(x)
        torch.testing.assert_close(own, y)
        torch.testing.assert_close(torch.autograd.grad(own, x, given_back)[0], expected)


def test_padding_like_tensorflow_counts_as_tensorflow_does() -> None:
    """The formula of TensorFlow's documentation, with one zero more behind than before where the number is odd."""
    conv = SameConv2d(1, 1, 3, 2)
    assert conv.margins(8, 7) == ((0, 1), (1, 1))
    assert SameConv2d(1, 1, 5, 2).margins(8, 7) == ((1, 2), (2, 2))
    assert SameConv2d(1, 1, (2, 4), 1).margins(9, 9) == ((0, 1), (1, 2))
    assert SameConv2d(1, 1, 1, 2).margins(9, 8) == ((0, 0), (0, 0))


def test_a_relu6_stops_the_gradient_on_both_sides() -> None:
    conv = nn.Conv2d(1, 1, 1, bias=False).requires_grad_(False)
    conv.weight.fill_(1)
    x = torch.tensor([-1.0, 0.0, 0.5, 5.5, 6.0, 7.0]).view(1, 1, 1, 6).requires_grad_()
    y = Convolution(conv, relu=True, limit=6.0)(x)
    assert y.flatten().tolist() == [0, 0, 0.5, 5.5, 6, 6]
    assert torch.autograd.grad(y.sum(), x)[0].flatten().tolist() == [0, 0, 1, 1, 0, 0]


def test_a_depthwise_stride_comes_back_in_half_precision_without_the_stride() -> None:
    for kernel, size in ((3, (1, 6, 16, 17)), (5, (1, 6, 15, 18))):
        conv = SameConv2d(6, 6, kernel, 2, groups=6).requires_grad_(False)
        part = Same(conv.bfloat16(), True, True, 6.0)
        x = (noise(*size) * 4).bfloat16().requires_grad_()
        whole = part(x)
        (own,) = part.made.values()
        assert own.scattering is not None
        plain = conv.float()(x.float()).clamp(0, 6)
        weight = noise(*plain.shape, seed=2)
        (g,) = torch.autograd.grad((whole.float() * weight).sum(), x)
        (expected,) = torch.autograd.grad((plain * weight).sum(), x)
        assert float((g - expected).norm() / expected.norm()) < 0.03
    assert Convolution(nn.Conv2d(6, 6, 3, 2, 1, groups=6)).scattering is None
    assert Convolution(nn.Conv2d(6, 6, 3, 1, 1, groups=6).bfloat16()).scattering is None


def test_a_1x1_comes_back_by_the_one_call_too() -> None:
    if not one_call(torch.float32, "cpu"):
        pytest.skip("this torch, or this processor, has no such call")
    conv = nn.Conv2d(12, 20, 1).requires_grad_(False)
    own = Convolution(conv, relu=True)
    assert own.transposed is not None
    x = noise(2, 12, 9, 7).requires_grad_()
    weight = noise(2, 20, 9, 7, seed=1)
    (g,) = torch.autograd.grad((own(x) * weight).sum(), x)
    torch.testing.assert_close(g, torch.autograd.grad((conv(x).relu() * weight).sum(), x)[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize("limit", [None, 0.4])
def test_the_one_call_and_its_fallback_agree(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, relu: bool, shortcut: bool, limit: float | None
) -> None:
    if not one_call(dtype, "cpu"):
        pytest.skip("this torch, or this processor, has no such call")
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 8, 3, padding=1)
    conv = conv.to(dtype).to(memory_format=CHANNELS_LAST)  # type: ignore[call-overload]
    whole = Convolution(conv, relu, limit=limit)
    x = noise(1, 6, 12, 13).to(dtype).contiguous(memory_format=CHANNELS_LAST).requires_grad_()
    other = noise(1, 8, 12, 13, seed=1).to(dtype).contiguous(memory_format=CHANNELS_LAST) if shortcut else None
    one = whole(x, other)
    (g,) = torch.autograd.grad(one.float().square().sum(), x)
    monkeypatch.setattr(convolution, "one_call", lambda dtype, device: False)
    several = whole(x, other)
    (expected,) = torch.autograd.grad(several.float().square().sum(), x)
    near = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 0.05, "atol": 0.05}
    torch.testing.assert_close(one, several, **near)  # type: ignore[arg-type]
    if limit is None or dtype == torch.float32:
        torch.testing.assert_close(g, expected, **near)  # type: ignore[arg-type]
    else:  # rounding decides on which side of the limit a value lies, and so whether its gradient is stopped
        assert float((g - expected).float().norm() / expected.float().norm()) < 0.3


def test_where_the_one_call_is_missing_it_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    one_call.cache_clear()
    assert not one_call(torch.float32, "cpu")
    monkeypatch.undo()
    one_call.cache_clear()
    assert not one_call(torch.float64, "cpu") and not one_call(torch.float32, "cuda")
