"""What all tests share: one thread, hypothesis without a clock, and a network small enough to know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from reverie.network import Network
from tests.oracle.networks import tiny_network

torch.set_num_threads(1)
settings.register_profile("house", deadline=None, max_examples=25)
settings.load_profile("house")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Calls under test may ask for more threads; the next test starts at one again."""
    yield
    torch.set_num_threads(1)


@pytest.fixture
def tiny() -> Network:
    """Three convolutions with fixed weights, in-place ReLUs, five labels: see tests/oracle/networks.py."""
    return tiny_network()


@pytest.fixture
def shared() -> Path:
    """Other people's weights and images; the test is skipped where they are not at hand."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the folder shared/ is not beside the repository")
    return folder


@pytest.fixture(autouse=True)
def no_network(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks anybody else's server for weights, or touches the user's own cache; ``auto`` is the built-in."""
    monkeypatch.setenv("REVERIE_OFFLINE", "1")
    monkeypatch.setenv("REVERIE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("REVERIE_NETWORK", "motif")  # whatever packages are installed
    monkeypatch.delenv("REVERIE_MIRROR", raising=False)
