"""A studio in a temporary folder: as an application without a browser, and as a server that a browser can reach."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from reverie.studio.app import create_app

ADDRESS = "http://localhost:8723"
ENVIRONMENT = {"REVERIE_OFFLINE": "1", "REVERIE_NETWORK": "motif", "OMP_NUM_THREADS": "1"}
MARK = {"x-reverie-studio": "1"}


def photo(width: int = 64, height: int = 48, seed: int = 0, form: str = "PNG") -> bytes:
    """A soft colored picture, encoded."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / (6 + seed + at)) + np.cos(columns / (9 + at)) for at in range(3)]
    pixels = np.stack([(each * 50 + 128).clip(0, 255) for each in waves], -1).astype(np.uint8)
    Image.fromarray(pixels).save(out := io.BytesIO(), form)
    return out.getvalue()


def drop(
    client: Any, data: bytes | None = None, name: str = "photo.png", kind: str = "source"
) -> dict[str, Any]:
    """Upload a picture; gives the asset."""
    answer = client.post(f"/api/assets?kind={kind}&name={name}", content=photo() if data is None else data)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def start(client: Any, *wishes: dict[str, Any]) -> list[dict[str, Any]]:
    """Start dreams; gives the jobs."""
    answer = client.post("/api/jobs", json={"wishes": list(wishes)})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["jobs"])


def wait(
    client: Any, jobs: list[str], states: tuple[str, ...] = ("done",), patience: float = 240.0
) -> list[Any]:
    """The jobs, once each is in one of ``states``; fails where one ends otherwise, or where it takes too long."""
    until = time.monotonic() + patience
    while True:
        found = [client.get(f"/api/jobs/{job}").json() for job in jobs]
        if all(each["state"] in states for each in found):
            return found
        for each in found:
            ended = each["state"] in ("done", "failed", "cancelled") and each["state"] not in states
            assert not ended, f"{each['state']}: {each['error']}"
        assert time.monotonic() < until, [each["state"] for each in found]
        time.sleep(0.05)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A studio without a browser; its worker and reader run."""
    os.environ.update(ENVIRONMENT)
    app = create_app(tmp_path_factory.mktemp("studio"))
    with TestClient(app, base_url=ADDRESS, headers=MARK) as found:
        yield found


def folder(client: TestClient) -> Path:
    """The folder of a client's studio."""
    return Path(client.app.state.studio.places.folder)  # type: ignore[attr-defined]


class Server:
    """``reverie studio`` as people start it, in a process of its own."""

    def __init__(self, place: Path, port: int | None = None) -> None:
        self.place = place
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        """Start it, and wait until it answers."""
        command = [
            sys.executable,
            "-m",
            "reverie",
            "studio",
            str(self.place),
            "--port",
            str(self.port),
            "--no-open",
        ]
        env = {**os.environ, **ENVIRONMENT}
        log = self.place.with_suffix(".log")
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(command, stdout=errors, stderr=errors, env=env)
        for _ in range(2400):
            try:
                httpx.get(f"{self.address}/api/hello", timeout=5)
                return self
            except httpx.TransportError:
                if self.process.poll() is not None:
                    raise AssertionError(log.read_text()) from None
                time.sleep(0.05)
        raise AssertionError("the studio does not answer")

    def client(self) -> httpx.Client:
        """A client that sends what the page sends."""
        return httpx.Client(base_url=self.address, headers=MARK, timeout=30)

    def stop(self, kill: bool = False) -> None:
        """End it as Ctrl-C does, or at once."""
        if self.process is not None and self.process.poll() is None:
            if kill:
                self.process.kill()
            else:
                self.process.send_signal(2)
            self.process.wait(20)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start studios that end with the test."""
    made: list[Server] = []

    def begin(place: Path = tmp_path / "studio", port: int | None = None) -> Server:
        made.append(Server(place, port))
        return made[-1].start()

    yield begin
    for each in made:
        each.stop(kill=True)
