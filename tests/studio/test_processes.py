"""What worker and reader do, in the process of the test: their answers, limits and refusals."""

from __future__ import annotations

import io
import json
import queue
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reverie import files
from reverie.errors import InputError, ReverieError
from reverie.studio import reader, worker
from reverie.studio.files import Places, identity
from reverie.studio.pipe import limit_memory
from reverie.studio.wishes import Spec, Wish, ready
from tests.studio.conftest import photo


class Told(worker.Worker):
    """A worker whose lines are kept, and that is asked without a pipe."""

    def __init__(self) -> None:
        self.inbox: queue.Queue[dict[str, Any]] = queue.Queue()
        self.said: list[dict[str, Any]] = []
        self.stop: dict[str, bool] = {}
        self.dropped: set[str] = set()
        self.paused = False
        self._photos = {}

    def send(self, **values: Any) -> None:
        self.said.append(values)

    def kinds(self) -> list[str]:
        return [each["type"] for each in self.said]


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """The folder of a studio with a source in it, where the worker works."""
    Places(tmp_path).make()
    (tmp_path / "sources" / "photo-1.png").write_bytes(photo())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def picture(path: Path) -> tuple[str | None, tuple[int, int]]:
    """Format and size of a picture file."""
    with Image.open(path) as found:
        return found.format, found.size


def array(path: str | Path) -> np.ndarray:
    """The samples of a picture file."""
    with Image.open(path) as found:
        return np.asarray(found)


def spec(**wish: Any) -> dict[str, Any]:
    settings = {"size": "48", "steps": 3, "octaves": 2, "network": "motif", **wish.pop("settings", {})}
    names = {"photo": "sources/photo-1.png"}
    made = ready(Wish(settings=settings, **wish), names.get, Path("presets"))
    return made.model_dump(mode="json")


def test_a_dream_is_told_step_by_step_and_ends_in_files_with_thumbnails(place):
    made = Told()
    made._run(
        {
            "job": "a" * 16,
            "spec": spec(source="photo", settings={"count": 2}),
            "target": "out.png",
            "again": False,
        }
    )
    steps = [each for each in made.said if each["type"] == "step"]
    assert [each["index"] for each in steps] == list(range(steps[0]["total"]))
    assert steps[-1]["left"] == 0 and steps[-1]["octave"] == 1
    done = made.said[-1]
    assert done["type"] == "done" and [each["name"] for each in done["files"]] == ["out-1.png", "out-2.png"]
    assert json.loads(done["files"][1]["record"])["part"] == 1
    thumbs = [place / ".studio" / "thumbs" / f"{identity(each['name'])}.webp" for each in done["files"]]
    assert all(picture(each)[0] == "WEBP" for each in thumbs)
    before = (place / "out-1.png").read_bytes()
    made._run(
        {
            "job": "a" * 16,
            "spec": spec(source="photo", settings={"count": 2}),
            "target": "out.png",
            "again": True,
        }
    )
    assert made.kinds()[-1] == "done" and made.kinds().count("done") == 2
    assert (place / "out-1.png").read_bytes() == before


def test_what_cannot_be_dreamt_is_one_sentence(place):
    made = Told()
    wrong = spec(source="photo") | {"source": "sources/absent.png"}
    made._run({"job": "b" * 16, "spec": wrong, "target": "out.png", "again": False})
    assert made.kinds() == ["failed"] and "does not exist" in made.said[0]["message"]
    (place / "out.png").write_bytes(b"somebody's")
    made._run({"job": "b" * 16, "spec": spec(source="photo"), "target": "out.png", "again": False})
    assert made.kinds()[-1] == "failed" and (place / "out.png").read_bytes() == b"somebody's"
    made._run(
        {
            "job": "b" * 16,
            "spec": spec() | {"kind": "fetch", "recipe": {"network": "vgg16"}},
            "target": "",
            "again": False,
        }
    )
    assert "offline" in made.said[-1]["message"]


def test_a_bug_is_told_as_one(place, monkeypatch):
    made = Told()
    monkeypatch.setattr(made, "_dream", lambda *_: 1 / 0)
    made._run({"job": "c" * 16, "spec": spec(), "target": "out.png", "again": False})
    assert "bug of ours (ZeroDivisionError" in made.said[-1]["message"]
    assert "memory" in worker._sentence(MemoryError())


def test_a_stopped_job_ends_at_the_next_step_and_may_leave_its_picture(place):
    made = Told()
    made.receive({"command": "cancel", "job": "d" * 16})
    made._run({"job": "d" * 16, "spec": spec(source="photo"), "target": "out.png", "again": False})
    assert made.kinds() == ["step", "cancelled"] and not (place / "out.png").exists()
    made.receive({"command": "keep", "job": "e" * 16})
    made._run({"job": "e" * 16, "spec": spec(source="photo"), "target": "out.png", "again": False})
    kept = next(each for each in made.said if each["type"] == "kept")
    assert files.load(kept["name"]).pixels.shape[-2:] == (36, 48)


def test_a_held_job_makes_previews_and_goes_on(place):
    made = Told()
    made.receive({"command": "pause", "paused": True})
    wanted = spec(source="photo") | {"kind": "preview", "film": {"side": 40}}
    made.receive({"command": "preview", "key": "k1", "spec": wanted})
    threading.Timer(0.4, made.receive, [{"command": "pause", "paused": False}]).start()
    begun = time.monotonic()
    made._run({"job": "f" * 16, "spec": spec(source="photo"), "target": "out.png", "again": False})
    assert time.monotonic() - begun >= 0.3
    assert made.kinds()[-1] == "done" and {"type": "preview", "key": "k1"} in made.said
    assert picture(place / ".studio" / "previews" / "k1.webp")[1] == (40, 32)


def test_previews_that_nobody_wants_or_that_cannot_be(place):
    made = Told()
    made.dropped.add("k2")
    wanted = spec(source="photo") | {"kind": "preview", "film": {"side": 48}}
    made._preview({"key": "k2", "spec": wanted})
    assert made.said[-1] == {"type": "preview", "key": "k2", "dropped": True}
    wrong = {**wanted, "recipe": {**wanted["recipe"], "objective": "nonsense"}}
    made._preview({"key": "k3", "spec": wrong})
    assert "nonsense" in made.said[-1]["error"]


def test_a_film_is_told_frame_by_frame(place):
    pytest.importorskip("av")
    made = Told()
    film = {"fps": "4", "duration": "0.75s"}
    made._run(
        {
            "job": "g" * 16,
            "spec": spec(kind="zoom", source="photo", film=film),
            "target": "film.mp4",
            "again": False,
        }
    )
    frames = [each for each in made.said if each["type"] == "step"]
    assert [each["index"] for each in frames] == [0, 1, 2] and made.kinds()[-1] == "done"
    assert made.said[-1]["files"][0] | {"width": 48, "height": 36} == made.said[-1]["files"][0]
    made.receive({"command": "cancel", "job": "h" * 16})
    made._run(
        {
            "job": "h" * 16,
            "spec": spec(kind="zoom", source="photo", film=film),
            "target": "b.mp4",
            "again": False,
        }
    )
    assert made.kinds()[-1] == "cancelled" and not list(place.glob("b.mp4*"))


def test_the_reader_cleans_cuts_and_looks(place, tmp_path):
    source, out = str(place / "sources" / "photo-1.png"), str(tmp_path / "out.png")
    assert reader.read_clean(source, out)["width"] == 64
    assert (files.load(out).pixels == files.load(source).pixels).all()
    edited = reader.read_edited(source, out, -1, [0, 0, 0.5, 1])
    assert (edited["width"], edited["height"]) == (24, 64)
    pixels = array(source)
    assert (array(out) == np.rot90(pixels, 1)[:, :24]).all()
    assert reader.read_view(source, str(tmp_path / "view.webp"), 32) == {"width": 64, "height": 48}
    assert picture(tmp_path / "view.webp")[1] == (32, 24)
    seen = reader.read_facts([source, "nothing.png"])["found"]
    assert seen == [{"width": 64, "height": 48, "record": None}, None]


def test_16_bits_and_transparency_stay(tmp_path):
    deep = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    reader.read_clean(str(tmp_path / "deep.png"), str(tmp_path / "out.png"))
    assert (files.load(tmp_path / "out.png").pixels == files.load(tmp_path / "deep.png").pixels).all()
    clear = np.zeros((20, 30, 4), np.uint8)
    clear[:, :15] = 200
    Image.fromarray(clear).save(tmp_path / "clear.png")
    reader.read_edited(str(tmp_path / "clear.png"), str(tmp_path / "out2.png"), 2, None)
    assert (array(tmp_path / "out2.png")[:, 15:, 3] == 200).all()
    assert reader.read_mask(str(tmp_path / "clear.png"), str(tmp_path / "mask.png"))["empty"] is False


def test_a_clip_is_looked_at_before_it_is_kept(tmp_path):
    pytest.importorskip("av")
    (tmp_path / "no.mp4").write_bytes(bytes(100))
    with pytest.raises(ReverieError):
        reader.read_clip(str(tmp_path / "no.mp4"), str(tmp_path / "out.webp"))


def test_the_reader_names_and_checks(monkeypatch):
    names = reader.read_names("motif")
    assert names["objective"] and "owl" in names["classes"]
    assert reader.read_objective("motif", "owl; rose")["ok"]
    wrong = reader.read_objective("motif", "owl + + rose")
    assert not wrong["ok"] and 0 <= wrong["start"] <= wrong["end"]
    assert reader._known('{"view": "sheet"}') is None and reader._known("[" * 10**6) is None


def test_the_reader_tells_no_path_and_answers_one_after_the_other(monkeypatch, tmp_path):
    said: list[dict[str, Any]] = []

    class Silent:
        def __init__(self) -> None:
            self.inbox: queue.Queue[dict[str, Any]] = queue.Queue()
            for number, task in enumerate(("clean", "broken", "hungry", "end")):
                self.inbox.put(
                    {
                        "number": number,
                        "task": task,
                        **({"path": "/x/y", "out": "/x/z"} if not number else {}),
                    }
                )

        def listen(self) -> None:
            pass

        def send(self, **values: Any) -> None:
            if "number" in values:
                said.append(values)

    def fail(error: BaseException) -> Any:
        def task() -> dict[str, Any]:
            raise error

        return task

    tasks = {
        "broken": fail(RuntimeError("odd")),
        "hungry": fail(RuntimeError("can't allocate memory")),
        "end": fail(KeyboardInterrupt()),
    }
    monkeypatch.setattr(reader, "Pipe", Silent)
    monkeypatch.setattr(reader, "limit_memory", lambda _: None)
    monkeypatch.setattr(reader, "TASKS", {**reader.TASKS, **tasks})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    with pytest.raises(KeyboardInterrupt):
        reader.run_reader()
    assert "/x" not in said[0]["error"] and "damaged" in said[1]["error"] and "memory" in said[2]["error"]


def test_memory_is_limited_where_the_system_can(tmp_path):
    import subprocess
    import sys

    code = "from reverie.studio.pipe import limit_memory; limit_memory(200 << 20); bytearray(1 << 30)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system has no such limits")
    assert "MemoryError" in found.stderr
    assert limit_memory.__doc__


def test_a_spec_of_the_worker_is_whole():
    made = Spec.model_validate(spec())
    assert made.recipe["network"] == "motif" and made.source is None
    with pytest.raises(InputError):
        ready(Wish(source="x"), lambda _: None, Path("presets"))
    assert io.BytesIO(photo()).read(4) == b"\x89PNG"
