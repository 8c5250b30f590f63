"""The queue: one wish to one picture, order, cancel, pause, restart, kills, events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from reverie import files
from reverie.recipe import Recipe
from tests.studio.conftest import Server, drop, folder, photo, start, wait

TINY = {"size": "64", "steps": 4}


def test_a_dream_of_the_studio_is_the_one_of_the_command_line_to_the_byte(client, tmp_path):
    asset = drop(client)
    mask = drop(client, photo(seed=4), kind="mask")
    guide = drop(client, photo(seed=9), kind="guide", name="guide.png")
    jobs = start(
        client,
        {"source": asset["id"], "settings": {**TINY, "objective": "0.5*owl + 0.3*stage2"}},
        {"source": asset["id"], "preset": "eyes", "settings": {**TINY, "seed": 3}, "mask": mask["id"]},
        {
            "source": asset["id"],
            "settings": TINY,
            "guides": [{"picture": guide["id"], "layer": "stage2", "weight": 0.7}],
        },
        {"source": None, "settings": {"size": "64x48", "steps": 3}},
    )
    for job in wait(client, [each["id"] for each in jobs]):
        name = job["results"][0]["name"]
        assert f"--out {name}" in job["command"]
        again = job["command"].replace(f"--out {name}", f"--out {tmp_path / name}")
        command = again.replace("reverie dream", f"{sys.executable} -m reverie dream", 1)
        subprocess.run(["bash", "-c", command], check=True, capture_output=True)
        assert (tmp_path / name).read_bytes() == (folder(client) / name).read_bytes()


def test_the_python_of_a_picture_makes_the_same_pixels(client, tmp_path):
    (job,) = start(client, {"source": drop(client)["id"], "settings": {**TINY, "objective": "rose"}})
    (job,) = wait(client, [job["id"]])
    name = job["results"][0]["name"]
    code = job["python"].replace(f"picture.save('{name}')", f"picture.save({str(tmp_path / 'again.png')!r})")
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "again.png").read_bytes() == (folder(client) / name).read_bytes()


def test_jobs_run_in_the_order_in_which_they_came_unless_one_is_moved(client):
    asset = drop(client)["id"]
    client.post("/api/queue", json={"paused": True})
    jobs = [
        each["id"]
        for each in start(client, *({"source": asset, "settings": {**TINY, "seed": at}} for at in range(4)))
    ]
    client.post(f"/api/jobs/{jobs[3]}/move", json={"before": jobs[0]})
    client.post(f"/api/jobs/{jobs[1]}/cancel", json={})
    client.post("/api/queue", json={"paused": False})
    done = wait(client, [jobs[3], jobs[0], jobs[2]])
    begun = [each["begun"] for each in done]
    assert begun == sorted(begun)
    (cancelled,) = wait(client, [jobs[1]], ("cancelled",))
    assert cancelled["begun"] is None and cancelled["results"] is None


def test_a_running_job_is_held_by_a_pause_and_goes_on(client):
    (job,) = start(
        client, {"source": drop(client)["id"], "settings": {"size": "96", "steps": 550, "octaves": 1}}
    )
    until = time.monotonic() + 120
    while not client.get(f"/api/jobs/{job['id']}").json()["progress"]:
        assert time.monotonic() < until
        time.sleep(0.02)
    client.post("/api/queue", json={"paused": True})

    def steps() -> int:
        return len(client.get(f"/api/jobs/{job['id']}").json()["scores"])

    before = -1
    while before != (before := steps()):  # the step under way may still end
        time.sleep(0.5)
    time.sleep(0.5)
    assert steps() == before
    client.post("/api/queue", json={"paused": False})
    client.post(f"/api/jobs/{job['id']}/cancel", json={})
    wait(client, [job["id"]], ("cancelled",))


def test_a_bad_wish_is_refused_in_one_sentence_before_anything_is_queued(client):
    before = len(client.get("/api/jobs").json()["jobs"])
    for wish, word in [
        ({"settings": {"steps": -1}}, "steps"),
        ({"settings": {"step_sizee": 1}}, "step_size"),
        ({"preset": "eyess"}, "eyes"),
        ({"source": "0" * 20}, "drop it again"),
        ({"nonsense": 1}, "nonsense"),
        ({"kind": "video"}, "needs a video"),
    ]:
        answer = client.post("/api/jobs", json={"wishes": [{"settings": TINY}, wish]})
        assert answer.status_code in (404, 422)
        assert word in answer.json()["error"], answer.json()
    assert len(client.get("/api/jobs").json()["jobs"]) == before


def test_go_on_from_here_makes_the_picture_of_that_moment_a_source(client):
    (job,) = start(
        client, {"source": drop(client)["id"], "settings": {"size": "96", "steps": 2000, "octaves": 1}}
    )
    until = time.monotonic() + 120
    while len(client.get(f"/api/jobs/{job['id']}").json()["scores"]) < 5:
        assert time.monotonic() < until
        time.sleep(0.02)
    client.post(f"/api/jobs/{job['id']}/cancel", json={"keep": True})
    (job,) = wait(client, [job["id"]], ("cancelled",))
    kept = job["results"][0]["asset"]
    path = folder(client) / client.app.state.studio.store.file(kept)
    assert files.load(path).pixels.shape[-2:] == (72, 96)


def test_previews_come_between_the_steps_of_a_job_and_what_is_not_wanted_any_more_is_dropped(client):
    asset = drop(client)["id"]
    (job,) = start(client, {"source": asset, "settings": {"size": "96", "steps": 3000, "octaves": 1}})
    wanted = [{"wish": {"source": asset, "settings": {"objective": "owl", "steps": 3}}, "side": 64}]
    (told,) = client.put("/api/previews/page:quick", json={"wanted": wanted}).json()["previews"]
    until = time.monotonic() + 120
    while client.get(f"/api/previews/{told['key']}").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert client.get(f"/api/jobs/{job['id']}").json()["state"] == "running"
    again = client.put("/api/previews/page:quick", json={"wanted": wanted}).json()["previews"][0]
    assert again["ready"]
    patient = [{**wanted[0], "wish": {"source": asset, "settings": {"objective": "rose"}}, "patient": True}]
    client.put("/api/previews/page:looks", json={"wanted": patient})
    client.put("/api/previews/page:looks", json={"wanted": []})
    assert not client.app.state.studio.queue._wanted
    client.post(f"/api/jobs/{job['id']}/cancel", json={})
    wait(client, [job["id"]], ("cancelled",))


def read_events(
    address: str, seen: str | None, stop: threading.Event, most: int = 10**9
) -> list[tuple[str, Any]]:
    """Events from the one after ``seen`` on, as (id, values), until so many came or ``stop`` is set."""
    found: list[tuple[str, Any]] = []
    headers = {"last-event-id": seen} if seen else {}
    with httpx.stream("GET", f"{address}/api/events", headers=headers, timeout=20) as answer:
        number = ""
        for line in answer.iter_lines():
            if line.startswith("id: "):
                number = line[4:]
            elif line.startswith("data: "):
                found.append((number, json.loads(line[6:])))
                if len(found) >= most or stop.is_set():
                    break
    return found


@pytest.mark.parametrize("cuts", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_no_event_is_missing_after_forced_disconnects(serve, cuts):
    server = serve()
    with server.client() as client:
        asset = drop(client)["id"]
        jobs = start(
            client,
            *(
                {"source": asset, "settings": {"size": "64", "steps": 60, "seed": at}}
                for at in range(cuts // 4)
            ),
        )
        seen: list[tuple[str, Any]] = read_events(
            server.address,
            f"{client.get('/api/hello').json()['event'].partition('-')[0]}-0",
            threading.Event(),
            2,
        )
        for _ in range(cuts):
            seen += read_events(server.address, seen[-1][0], threading.Event(), 7)[1:]
        wait(client, [each["id"] for each in jobs], patience=300)
        last = int(client.get("/api/hello").json()["event"].partition("-")[2])
        while int(seen[-1][0].partition("-")[2]) < last:
            missing = last - int(seen[-1][0].partition("-")[2])
            seen += read_events(server.address, seen[-1][0], threading.Event(), missing + 1)[1:]
        numbers = [int(each[0].partition("-")[2]) for each in seen[1:]]
        assert numbers == list(range(1, last + 1))


def test_a_page_that_missed_too_much_is_told_to_load_anew(serve):
    server = serve()
    found = read_events(server.address, "another-5", threading.Event(), 1)
    assert found[0][1]["type"] == "reset"


def finished_bytes(place: Path, job: dict[str, Any]) -> bytes:
    return (place / job["results"][0]["name"]).read_bytes()


LONG = {"size": "120", "steps": 30, "octaves": 4, "octave_scale": 1.2}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_worker_loses_nothing_and_its_job_goes_on_to_equal_bytes(serve, kills):
    server = serve()
    with server.client() as client:
        asset = drop(client, photo(120, 90))["id"]
        wish = {"source": asset, "settings": LONG}
        (whole,) = wait(client, [start(client, wish)[0]["id"]])
        expected = files.load(server.place / whole["results"][0]["name"]).pixels
        for at in range(kills):
            first, second = start(client, wish, {"source": asset, "settings": {**TINY, "seed": at}})
            until = time.monotonic() + 120
            while len(client.get(f"/api/jobs/{first['id']}").json()["scores"]) < 1 + at * 100 // kills:
                if client.get(f"/api/jobs/{first['id']}").json()["state"] == "done":
                    break
                assert time.monotonic() < until
                time.sleep(0.01)
            os.kill(worker_of(server), signal.SIGKILL)
            done = wait(client, [first["id"], second["id"]])
            assert (files.load(server.place / done[0]["results"][0]["name"]).pixels == expected).all()
            assert finished_bytes(server.place, done[0]) == finished_bytes(server.place, whole)
        pictures = client.get("/api/pictures?limit=200").json()
        assert pictures["total"] == 1 + 2 * kills


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_server_keeps_its_queue_and_goes_on(serve, kills):
    server = serve()
    with server.client() as client:
        asset = drop(client, photo(120, 90))["id"]
        wish = {"source": asset, "settings": LONG}
        (whole,) = wait(client, [start(client, wish)[0]["id"]])
    for at in range(kills):
        with server.client() as client:
            jobs = [
                each["id"]
                for each in start(client, wish, {"source": asset, "settings": {**TINY, "seed": at}})
            ]
            until = time.monotonic() + 120
            while len(client.get(f"/api/jobs/{jobs[0]}").json()["scores"]) < 1 + at * 100 // kills:
                if client.get(f"/api/jobs/{jobs[0]}").json()["state"] == "done":
                    break
                assert time.monotonic() < until
                time.sleep(0.01)
        server.stop(kill=True)
        server = serve(server.place)
        with server.client() as client:
            done = wait(client, jobs)
            assert finished_bytes(server.place, done[0]) == finished_bytes(server.place, whole)
            assert client.get("/api/pictures?limit=200").json()["total"] == 1 + 2 * (at + 1)


def worker_of(server: Server) -> int:
    """The number of the process that dreams for a server."""
    assert server.process is not None
    for each in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            command = (each / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == server.process.pid and b"reverie.studio.worker" in command:
            return int(each.name)
    raise AssertionError("no worker runs")


@pytest.mark.parametrize("cancels", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_cancelled_at_any_moment_a_job_ends_and_the_next_begins(client, cancels):
    asset = drop(client)["id"]
    waits = []
    for at in range(cancels):
        first, second = start(
            client,
            {"source": asset, "settings": {"size": "96", "steps": 5000, "octaves": 1}},
            {"source": asset, "settings": {**TINY, "seed": at}},
        )
        time.sleep((at * 37 % 50) / 100)
        begun = time.monotonic()
        client.post(f"/api/jobs/{first['id']}/cancel", json={})
        wait(client, [first["id"]], ("cancelled",), 60)
        (neighbor,) = wait(client, [second["id"]])
        assert neighbor["begun"] is not None
        waits.append(time.monotonic() - begun)
    print(f"from a cancel to the end of the next job: at most {max(waits):.1f} s")
    assert all(each["state"] in ("done", "cancelled") for each in client.get("/api/jobs").json()["jobs"])


def test_a_job_that_does_not_listen_is_taken_from_its_worker(client, monkeypatch):
    studio = client.app.state.studio
    (job,) = start(
        client, {"source": drop(client)["id"], "settings": {"size": "96", "steps": 5000, "octaves": 1}}
    )
    while not client.get(f"/api/jobs/{job['id']}").json()["scores"]:
        time.sleep(0.02)
    os.kill(studio.queue.pid, signal.SIGSTOP)
    client.post(f"/api/jobs/{job['id']}/cancel", json={})
    wait(client, [job["id"]], ("cancelled",))
    (other,) = start(client, {"source": drop(client)["id"], "settings": TINY})
    wait(client, [other["id"]])


def test_own_presets_are_toml_files_that_the_command_line_reads(client, tmp_path):
    saved = client.put(
        "/api/presets",
        json={"title": "My owls", "settings": {"objective": "owl", "steps": 3}, "preset": "eyes"},
    )
    name = saved.json()["name"]
    assert name == "own:my-owls"
    asset = drop(client)["id"]
    (job,) = start(client, {"source": asset, "preset": name, "settings": {"size": "64"}})
    (job,) = wait(client, [job["id"]])
    path = folder(client) / "presets" / "my-owls.toml"
    source = folder(client) / client.app.state.studio.store.file(asset)
    command = [
        "dream",
        str(source),
        "--preset",
        str(path),
        "--size",
        "64",
        "--out",
        str(tmp_path / "again.png"),
    ]
    subprocess.run([sys.executable, "-m", "reverie", *command], check=True, capture_output=True)
    made, again = (
        json.loads(files.read_text(each) or "")
        for each in (folder(client) / job["results"][0]["name"], tmp_path / "again.png")
    )
    assert made["recipe"] == again["recipe"]
    assert Recipe.of(made["recipe"]).momentum == 0.5  # of the preset that it was saved over
    client.delete(f"/api/presets/{name}")
    assert name not in [each["name"] for each in client.get("/api/presets").json()["presets"]]


def test_a_film_of_the_studio_is_the_one_of_the_command_line(client, tmp_path):
    pytest.importorskip("av")
    film = {"fps": "8", "duration": "0.5s", "zoom": 1.3, "at": ["0s", "zoom=1.2", "0.5s", "zoom=1.4"]}
    wish = {
        "kind": "zoom",
        "source": drop(client)["id"],
        "settings": {"size": "64", "steps": 3, "octaves": 1},
        "film": film,
    }
    (job,) = start(client, wish)
    (job,) = wait(client, [job["id"]], patience=120)
    name = job["results"][0]["name"]
    command = (
        job["command"]
        .replace("reverie film", f"{sys.executable} -m reverie film", 1)
        .replace(f"--out {name}", f"--out {tmp_path / name}")
    )
    subprocess.run(["bash", "-c", command], check=True, capture_output=True)
    assert (tmp_path / name).read_bytes() == (folder(client) / name).read_bytes()
    played = client.get(f"/api/files/{job['results'][0]['picture']}/film", headers={"range": "bytes=0-99"})
    assert played.status_code == 206 and played.headers["content-type"] == "video/mp4"
