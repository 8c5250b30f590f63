"""Many clients, and many jobs: order, nothing lost or doubled, the page answers meanwhile, memory does not grow."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from tests.studio.conftest import drop, start, wait
from tests.studio.test_jobs import worker_of

TINY = {"size": "48", "steps": 2, "octaves": 1}


@pytest.mark.parametrize(("clients", "each"), [(4, 3), pytest.param(20, 10, marks=pytest.mark.slow)])
def test_many_clients_share_one_worker_in_the_order_in_which_they_came(serve, clients, each):
    server = serve()
    jobs: list[list[str]] = [[] for _ in range(clients)]
    waits: list[float] = []
    with server.client() as first:
        asset = drop(first)["id"]
        long = {"source": asset, "settings": {"size": "320", "steps": 30}}
        start(first, long)  # the page must answer while a dream has the processor

        def ask(number: int) -> None:
            with server.client() as client:
                for at in range(each):
                    wish = {"source": asset, "settings": {**TINY, "seed": number * 1000 + at}}
                    jobs[number].append(start(client, wish)[0]["id"])
                    begun = time.monotonic()
                    client.get("/api/jobs")
                    waits.append(time.monotonic() - begun)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        every = [job for mine in jobs for job in mine]
        done = wait(first, every, patience=600)
        assert len(set(every)) == clients * each == len({job["results"][0]["name"] for job in done})
        in_order = sorted(done, key=lambda job: job["place"])
        begun = [job["begun"] for job in in_order]
        assert begun == sorted(begun), "a job overtook another"
        assert first.get("/api/pictures").json()["total"] == clients * each + 1
    waits.sort()
    print(
        f"answers: median {waits[len(waits) // 2] * 1000:.0f} ms, p99 {waits[int(len(waits) * 0.99)] * 1000:.0f} ms"
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory is read from /proc")
def test_300_jobs_do_not_make_server_and_worker_grow(serve):
    server = serve()
    assert server.process is not None

    def memory(pid: int) -> int:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    with server.client() as client:
        asset = drop(client)["id"]
        sizes = []
        for batch in range(8):
            wishes = [{"source": asset, "settings": {**TINY, "seed": batch * 100 + at}} for at in range(50)]
            wait(client, [job["id"] for job in start(client, *wishes)], patience=600)
            sizes.append((memory(server.process.pid), memory(worker_of(server))))
        print(f"MB after each 50 jobs: {[(a >> 20, b >> 20) for a, b in sizes]}")
        # The first hundred fill caches and the allocator's pools; 300 more must fit into what there is then.
        for before, after in zip(sizes[1], sizes[-1], strict=True):
            assert after < before * 1.05
    handles = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
    assert handles < 60
