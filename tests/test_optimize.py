"""The same network made ready for a device: equal by test, and the one handed in left as it was."""

from __future__ import annotations

import pytest
import torch

from reverie.network import Network
from reverie.optimize import optimized, resolve_precision
from tests.oracle.networks import noise

CPU = torch.device("cpu")
IMAGE = noise(2, 3, 17, 24)


def test_the_reference_precision_gives_the_same_numbers(tiny: Network) -> None:
    ready = optimized(tiny, CPU, "fp32")
    for name in ("relu1", "relu2", "logits"):
        torch.testing.assert_close(ready.capture(IMAGE, [name])[name], tiny.capture(IMAGE, [name])[name])


def test_half_precision_is_near_and_its_activations_are_float(tiny: Network) -> None:
    ready = optimized(tiny, CPU, "bf16")
    assert {parameter.dtype for parameter in ready.module.parameters()} == {torch.bfloat16}
    found, exact = (network.capture(IMAGE, ["relu2"])["relu2"] for network in (ready, tiny))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, rtol=0.05, atol=0.02)


def test_the_network_handed_in_stays_as_it_is(tiny: Network) -> None:
    before = {key: value.clone() for key, value in tiny.module.state_dict().items()}
    ready = optimized(tiny, CPU, "bf16")
    for parameter in ready.module.parameters():
        parameter.zero_()
    after = tiny.module.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert {value.dtype for value in after.values()} == {torch.float32}


def test_it_is_frozen_and_knows_what_the_network_knew(tiny: Network) -> None:
    ready = optimized(tiny, CPU, "fp32")
    assert not any(parameter.requires_grad for parameter in ready.module.parameters())
    assert not ready.module.training
    assert (ready.labels, ready.aliases, ready.smallest) == (tiny.labels, tiny.aliases, tiny.smallest)
    assert ready.layers == tiny.layers


@pytest.mark.parametrize(
    ("able", "precision"),
    [({}, "fp32"), ({"avx2": True}, "fp32"), ({"amx_bf16": True}, "bf16"), ({"avx512_bf16": True}, "bf16")],
)
def test_auto_is_half_precision_only_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], precision: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert resolve_precision("auto", CPU) == precision
    assert resolve_precision("auto", torch.device("mps")) == "fp32"


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
def test_a_precision_asked_for_is_taken(asked: str) -> None:
    assert resolve_precision(asked, CPU) == asked  # type: ignore[arg-type]
