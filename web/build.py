"""Build the page into a folder: python web/build.py dist/page. Needs the extra web, and npm ci in this folder.

Everything the page loads is copied or made here, named in one list with its SHA-256 (in ``sw.js``), and nothing comes
from another origin. What is large is packed: the WebAssembly by LZMA (gzip leaves it two thirds larger), the graphs as
their even bytes followed by their odd ones, gzipped, because numbers of 16 bits pack better so.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import lzma
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from reverie import __version__, zoo
from reverie.errors import MissingError, ReverieError
from reverie.export import export
from reverie.recipe.model import Recipe
from reverie.recipe.presets import all_presets

HERE = Path(__file__).parent
RUNTIME = HERE / "node_modules" / "onnxruntime-web"
SAMPLE = HERE.parent / "examples" / "cat.jpg"
GRAPHS = {
    # network: layers, whether weights are rounded to 16 bits, a line for people
    "motif": (("stage1", "stage2", "stage3", "stage4", "classes"), False, "built in: owls, eyes, feathers, roses"),
    "efficientnet_lite2": (
        ("blocks.2.1", "blocks.3.1", "blocks.4.1", "blocks.5.1", "classes"),
        True,
        "1000 classes of ImageNet: dogs, birds, snakes",
    ),
}
WASM = {
    # engine: module, WebAssembly; the module's own file name in the page is the same
    "wasm": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": ("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"),
}


def build(out: Path, networks: Sequence[str] = tuple(GRAPHS), effort: int = 9) -> dict[str, Any]:
    """Write the page into ``out``, replacing what a build wrote there before; returns what stands in page.json.

    ``effort`` is that of packing, 0 (seconds) to 9 (a minute).
    """
    if out.exists() and any(out.iterdir()) and not (out / "sw.js").exists():
        raise SystemExit(f"{out} holds something else; name an empty folder.")
    if not RUNTIME.is_dir():
        raise SystemExit("onnxruntime-web is not installed; run npm ci --prefix web.")
    made = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        told = _written(made, networks, effort)
        if out.exists():
            shutil.rmtree(out)
        made.chmod(0o755)
        made.rename(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return told


def _written(made: Path, networks: Sequence[str], effort: int) -> dict[str, Any]:
    for name in ("index.html", "style.css", "manifest.webmanifest", "icon.svg"):
        shutil.copy(HERE / name, made / name)
    shutil.copytree(HERE / "src", made / "src")
    shutil.copy(SAMPLE, made / "sample.jpg")
    for side in (192, 512):
        _icon(side).save(made / f"icon-{side}.png", optimize=True)
    (made / "data").mkdir()
    (made / "ort").mkdir()
    version = json.loads((RUNTIME / "package.json").read_text("utf-8"))["version"]
    told = {
        "version": __version__,
        "runtime": f"onnxruntime-web {version}",
        "fields": fields(),
        "runtimes": {kind: _runtime(made, *files, effort) for kind, files in WASM.items()},
        "networks": [found for name in networks if (found := _network(made, name, effort)) is not None],
    }
    known = [each["name"] for each in told["networks"]]
    told["presets"] = looks(known)
    (made / "data" / "page.json").write_text(json.dumps(told, separators=(",", ":")), "utf-8")
    _worker(made)
    return told


def fields() -> dict[str, Any]:
    """What the page must know of each recipe field: default, range or choices; the network's default is this page's."""
    kept = ("default", "type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "before")
    found = {}
    for name, schema in Recipe.model_json_schema()["properties"].items():
        branch = next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), {})
        found[name] = {key: value for key, value in {**branch, **schema}.items() if key in kept}
        found[name].setdefault("default", None)
    found["network"]["default"] = "motif"
    return found


def looks(networks: Sequence[str]) -> dict[str, Any]:
    """The presets that this page can dream: those of its networks in which nothing but the classic ascent is asked."""
    found = {}
    for name, values in all_presets().items():
        recipe = {key: value for key, value in values.items() if key in Recipe.model_fields}
        told = str(recipe.get("objective", ""))
        if recipe.get("network") in networks and told and "group:" not in told and "param" not in recipe:
            Recipe.of(recipe)
            found[name] = {"about": values["about"], "recipe": recipe}
    return found


def _network(made: Path, name: str, effort: int) -> dict[str, Any] | None:
    layers, half, about = GRAPHS[name]
    try:
        network = zoo.load(name, offline=True)
    except MissingError as error:
        print(f"{name} is left out: {error}", file=sys.stderr)
        return None
    manifest = export(network, layers, made / "data", half=half)
    data = (made / "data" / manifest.file).read_bytes()
    (made / "data" / manifest.file).unlink()
    packed = gzip.compress(data[::2] + data[1::2], max(1, effort), mtime=0)
    path = f"data/{name}.onnx.planes.gz"
    (made / path).write_bytes(packed)
    graph = {"url": path, "packing": "planes", "packed": len(packed), "size": len(data)}
    return {"name": name, "about": about, "graph": graph, "manifest": f"data/{name}.json", "rounded": manifest.rounded}


def _runtime(made: Path, module: str, wasm: str, effort: int) -> dict[str, Any]:
    shutil.copy(RUNTIME / "dist" / module, made / "ort" / module)
    data = (RUNTIME / "dist" / wasm).read_bytes()
    how = {"dict_size": 1 << 24, "lc": 4, "lp": 0, "pb": 0} | ({"nice_len": 273} if effort == 9 else {})
    filters = [{"id": lzma.FILTER_LZMA1, "preset": effort, **how}]
    packed = lzma.compress(data, lzma.FORMAT_ALONE, filters=filters)
    (made / "ort" / f"{wasm}.lzma").write_bytes(packed)
    file = {"url": f"ort/{wasm}.lzma", "packing": "lzma", "packed": len(packed), "size": len(data)}
    return {"module": f"ort/{module}", "wasm": file}


def _worker(made: Path) -> None:
    """The service worker knows every file by its hash, so a page of another build is another set of files."""
    paths = sorted(each.relative_to(made).as_posix() for each in made.rglob("*") if each.is_file())
    files = {path: hashlib.sha256((made / path).read_bytes()).digest() for path in paths}
    listed = {path: base64.b16encode(digest).decode().lower() for path, digest in files.items()}
    shell = [path for path in paths if not path.startswith(("ort/", "data/")) or path == "data/page.json"]
    text = (HERE / "sw.js").read_text("utf-8")
    text = text.replace("/*FILES*/ {}", json.dumps(listed, indent=1))
    text = text.replace("/*SHELL*/ []", json.dumps(shell, indent=1))
    (made / "sw.js").write_text(text, "utf-8")


def _icon(side: int) -> Image.Image:
    """The icon of icon.svg as a PNG: three rings around a dark eye."""
    scale = 4
    image = Image.new("RGB", (side * scale, side * scale), "#14161b")
    draw = ImageDraw.Draw(image)
    middle = side * scale / 2
    for radius, color in ((0.36, "#e8b36a"), (0.29, "#b5606f"), (0.21, "#4f7f8f"), (0.11, "#14161b")):
        reach = radius * side * scale
        draw.ellipse((middle - reach, middle - reach, middle + reach, middle + reach), fill=color)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("--networks", default=",".join(GRAPHS), help="which, joined by commas (default: %(default)s)")
    options = parser.parse_args()
    wanted = options.networks.split(",")
    if strange := [name for name in wanted if name not in GRAPHS]:
        parser.error(f"there is no graph of {strange[0]}; choose from {', '.join(GRAPHS)}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        told = build(options.out, wanted)
    except ReverieError as error:
        print(f"page: {error}", file=sys.stderr)
        return error.exit_code
    first = told["networks"][0]["graph"]["packed"] + told["runtimes"]["wasm"]["wasm"]["packed"]
    names = ", ".join(each["name"] for each in told["networks"])
    print(f"The page with {names} lies in {options.out}; {first / 1e6:.1f} MB of it are network and runtime.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
