"""The house of the architecture page: who may import whom, how long a file may be."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "reverie"
FILES = sorted(PACKAGE.rglob("*.py"))

# Within a floor a file may import those named before it.
FLOORS = [
    ["errors", "ops", "spectrum", "expression", "schedule", "written", "preset"],
    ["recipe", "image", "trace", "padding", "network", "objective", "penalty", "guide", "variety", "param",
     "transform"],
    ["blocks", "smoothing", "shaping", "ascent", "optimizer", "tile", "octave", "optimize"],
    ["targets", "viewing", "plan", "loop", "record"],
    ["budget", "zoo", "export", "atlas", "plot", "quality"],
    ["shelf", "checkpoint", "api"],
    ["film"],
    ["cli"],
]
ORDER = [name for rooms in FLOORS for name in rooms]
CORE = {name for rooms in FLOORS[:4] for name in rooms}
HOME_OF = {"safetensors": {"zoo", "checkpoint", "film"}, "pooch": {"zoo"},
           "filelock": {"zoo", "film"}, "google": {"zoo"}, "requests": {"zoo"},
           "PIL": {"image", "atlas", "shelf", "film", "cli"}, "tifffile": {"image"}, "cyclopts": {"cli"},
           "rich": {"cli"}, "pydantic": {"recipe", "record", "checkpoint", "film", "cli"},
           "torchvision": {"zoo/adopt"}, "timm": {"zoo/adopt"}, "keras": {"zoo/adopt"}, "h5py": {"zoo/adopt"},
           "huggingface_hub": {"zoo/adopt"}, "av": {"film"}, "cv2": {"film"}, "matplotlib": {"plot"},
           "onnx": {"export"}}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_room_stands_on_a_floor():
    rooms = {room(path) for path in FILES} - {"__init__", "__main__"}
    assert rooms == set(ORDER)


@pytest.mark.parametrize("path", [p for p in FILES if room(p) not in ("__init__", "__main__")], ids=lambda p: p.stem)
def test_a_file_imports_only_from_below(path):
    own = room(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "reverie" or len(parts) < 2 or parts[1] not in ORDER or parts[1] == own:
            continue
        assert ORDER.index(parts[1]) < ORDER.index(own), f"{own} may not import {parts[1]}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_each_library_has_its_home(path):
    for name in {each.split(".")[0] for each in imports(path)} & HOME_OF.keys():
        inside = path.parent.relative_to(PACKAGE).as_posix()
        assert {room(path), inside} & HOME_OF[name], f"{name} is imported in {inside}"


def test_no_file_is_longer_than_400_lines_or_has_a_name_that_says_nothing():
    root = PACKAGE.parents[1]
    for path in [*FILES, *(root / "training").rglob("*.py"), *(root / "tests").rglob("*.py")]:
        assert len(path.read_text("utf-8").splitlines()) <= 400, path.name
        assert path.stem not in {"utils", "helpers", "common", "manager"}


def test_the_core_never_prints_saves_or_reads_a_clock():
    for path in FILES:
        if room(path) in CORE - {"image"}:
            tree = ast.parse(path.read_text("utf-8"))
            called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
            calls = {each.id for each in called if isinstance(each, ast.Name)}
            assert not calls & {"print", "open", "input"}, path.name
            assert not imports(path) & {"time", "datetime", "random"}, path.name


def test_nothing_tracked_speaks_of_a_machine_path():
    root = PACKAGE.parents[1]
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False)
    for name in listed.stdout.split():
        # What was deleted is listed until that is committed.
        if name.endswith((".py", ".md", ".toml", ".txt", "Makefile")) and (root / name).exists():
            text = (root / name).read_text("utf-8")
            assert "/" + "work/main" not in text, name
            assert "/" + "work/shared" not in text, name
