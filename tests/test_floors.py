"""The house of the architecture page: who may import whom, and where each library is used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "reverie"
FILES = sorted(PACKAGE.rglob("*.py"))

# A file imports only from the folders and files that stand before its own.
ORDER = [
    "errors", "recipe", "pixels", "files", "network", "objective", "ascent", "tile", "loop", "zoo", "export", "atlas",
    "plot", "jobs", "api", "film", "studio", "cli",
]
CORE = {"errors", "recipe", "pixels", "network", "objective", "ascent", "tile", "loop"}
HOME_OF = {
    "safetensors": {"zoo", "jobs", "film"},
    "pooch": {"zoo"},
    "filelock": {"zoo", "film", "studio"},
    "google": {"zoo"},
    "requests": {"zoo"},
    "PIL": {"files", "atlas", "jobs", "film", "studio", "cli"},
    "tifffile": {"files"},
    "imagecodecs": {"files"},
    "cyclopts": {"cli"},
    "rich": {"cli"},
    "pydantic": {"recipe", "jobs", "film", "studio", "cli"},
    "torchvision": {"zoo/adopt"},
    "timm": {"zoo/adopt"},
    "keras": {"zoo/adopt"},
    "h5py": {"zoo/adopt"},
    "huggingface_hub": {"zoo/adopt"},
    "av": {"film"},
    "cv2": {"film"},
    "matplotlib": {"plot"},
    "onnx": {"export"},
    "psutil": {"jobs"},
    "fastapi": {"studio"},
    "starlette": {"studio"},
    "uvicorn": {"cli"},
}


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


def module(path: Path) -> str:
    """The dotted name inside the package; that of the folder for its __init__."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def test_every_folder_and_file_stands_on_a_floor():
    rooms = {room(path) for path in FILES} - {"__init__", "__main__"}
    assert rooms == set(ORDER)


def test_a_file_imports_only_from_below():
    for path in FILES:
        own = room(path)
        if own in ("__init__", "__main__"):
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "reverie" and len(parts) > 1 and parts[1] in ORDER and parts[1] != own:
                assert ORDER.index(parts[1]) < ORDER.index(own), f"{module(path)} may not import {name}"


def test_no_two_files_import_one_another_in_a_circle():
    """Lazy imports and imports for types count; a folder's own __init__, which only offers names, does not."""
    names = {module(path): path for path in FILES}
    reads = {
        own: {name.removeprefix("reverie.") for name in imports(path)} & names.keys() - {own}
        for own, path in names.items()
        if path.name != "__init__.py"
    }
    while loose := [own for own, read in reads.items() if not read & reads.keys()]:
        for own in loose:
            del reads[own]
    assert not reads, f"in or above a circle: {sorted(reads)}"


def test_the_recipe_folder_needs_no_torch():
    code = """
import pkgutil, sys
import reverie, reverie.recipe
for each in pkgutil.iter_modules(reverie.recipe.__path__, "reverie.recipe."):
    __import__(each.name)
sys.exit("torch" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_each_library_has_its_home(path):
    for name in {each.split(".")[0] for each in imports(path)} & HOME_OF.keys():
        inside = path.parent.relative_to(PACKAGE).as_posix()
        assert {room(path), inside} & HOME_OF[name], f"{name} is imported in {inside}"


def test_no_file_has_a_name_that_says_nothing():
    for path in FILES:
        assert path.stem not in {"utils", "helpers", "common", "manager"}


# A command is named like the call that it makes; the doors of films and networks are named like what they give.
NAMED_ALIKE = {
    "dream": {"api", "cli.dream"},
    "visualize": {"api", "cli.visualize"},
    "replay": {"jobs.replaying", "film", "cli.replay"},
    "presets": {"api", "cli.presets"},
    "export": {"export.manifest", "cli.export"},
    "inspect": {"atlas.inspection", "cli.inspect"},
    "steps": {"film", "cli.film"},
    "video": {"film", "cli.film"},
    "zoom": {"film", "cli.film"},
    "load": {"files.reading", "zoo"},
}


def test_no_public_name_is_defined_in_two_files():
    homes: dict[str, set[str]] = {}
    for path in FILES:
        for node in ast.parse(path.read_text("utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
            for each in targets:
                name = getattr(each, "id", getattr(each, "name", "_"))
                if not name.startswith("_"):
                    homes.setdefault(name, set()).add(module(path))
    assert {name: found for name, found in homes.items() if len(found) > 1} == NAMED_ALIKE


def test_no_import_renames_one_of_ours():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reverie"):
                assert not [each.asname for each in node.names if each.asname], f"{module(path)}, {node.lineno}"


def test_messages_outside_the_command_line_name_options_without_dashes():
    """What an option's help says is written for the command line; messages mark options: [[steps]]."""
    for path in FILES:
        if room(path) in ("cli", "studio", "errors", "__init__"):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        helps = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.keyword) and node.arg == "description"
            for part in ast.walk(node.value)
        }
        spoken = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in helps
        ]
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in spoken:
            flags = set(re.findall(r"(?<![\w'])--[a-z][a-z-]*", node.value)) if id(node) not in docs else set()
            # Commands that people can type as they stand, and the ends of such.
            typed = ("pip install", "'reverie ", "--force-reinstall", "--kind group'")
            commands = any(each in node.value for each in typed)
            assert not flags or commands, f"{module(path)}, {node.lineno}: {node.value}"


def test_the_package_shows_at_most_22_entries():
    assert len([each for each in PACKAGE.iterdir() if each.name != "__pycache__"]) <= 22


def test_the_core_never_prints_saves_or_reads_a_clock():
    for path in FILES:
        if room(path) in CORE:
            tree = ast.parse(path.read_text("utf-8"))
            called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
            calls = {each.id for each in called if isinstance(each, ast.Name)}
            # A recipe may lie in a file; that is read where recipes are merged.
            reads = {"open"} if module(path) == "recipe.model" else set()
            assert not calls & {"print", "open", "input"} - reads, path.name
            assert not imports(path) & {"time", "datetime", "random"}, path.name


def test_nothing_tracked_speaks_of_a_machine_path():
    root = PACKAGE.parents[1]
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False)
    names = listed.stdout.split()
    if listed.returncode:
        pytest.skip("no git here, so nothing is known to be tracked")
    assert "README.md" in names
    for name in names:
        # What was deleted is listed until that is committed.
        if name.endswith((".py", ".md", ".toml", ".txt", "Makefile")) and (root / name).exists():
            text = (root / name).read_text("utf-8")
            assert "/" + "work/main" not in text, name
            assert "/" + "work/shared" not in text, name
