"""What the page is made of: its modules, its locked packages, its packed files, its texts inside pictures."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import re
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image

from reverie import files
from reverie.recipe.model import Recipe
from tests.web.conftest import WEB, absent
from tests.web.test_loop import graphs, script  # noqa: F401

MODULES = sorted((WEB / "src").rglob("*.js"))

# Fields without a meaning of their own where the page holds others at their defaults, or which plans do not decide.
IDLE = {
    "network",
    "mask",
    "match",
    "smooth_sigma",
    "smooth_weights",
    "smooth_kernel",
    "smooth_border",
    "decay",
    "start",
    "cooldown",
    "crop_size",
}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_is_one_room(path):
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= 300
    assert lines[0].startswith("// ")
    assert max(map(len, lines)) <= 130


def test_types():
    compiler = WEB / "node_modules" / ".bin" / "tsc"
    if not compiler.exists():
        absent("TypeScript is not installed (npm ci --prefix web), so the page's types are not checked")
    ran = subprocess.run([compiler, "-p", WEB], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_packages_are_locked_by_their_hashes_and_name_no_host():
    text = (WEB / "package-lock.json").read_text("utf-8")
    locked = json.loads(text)["packages"]
    assert "://" not in re.sub(r'"url": "[^"]*"', "", text)
    assert all(each["integrity"].startswith("sha512-") for name, each in locked.items() if name)
    wanted = json.loads((WEB / "package.json").read_text("utf-8"))
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert locked[f"node_modules/{name}"]["version"] == version


def test_every_field_of_a_recipe_is_heeded_or_refused(graphs):  # noqa: F811
    recipe = Recipe().model_dump(mode="json")
    found = script(f"""
        import {{ readFileSync }} from "node:fs";
        import {{ FIXED, planned }} from "./src/dream/plan.js";
        const manifest = JSON.parse(readFileSync({json.dumps(str(graphs / "motif.json"))}, "utf-8"));
        const read = new Set();
        const recipe = new Proxy({json.dumps(recipe)}, {{ get: (from, name) => (read.add(name), from[name]) }});
        planned(recipe, manifest, [200, 300]);
        planned(new Proxy({json.dumps(recipe | {"octaves": 3})}, {{
            get: (from, name) => (read.add(name), from[name]),
        }}), manifest, [200, 300]);
        console.log(JSON.stringify([[...read], Object.entries(FIXED)]));
    """)
    read, fixed = set(found[0]), dict(found[1])
    assert set(Recipe.model_fields) - IDLE == (read & set(Recipe.model_fields)) - IDLE
    for name, value in fixed.items():
        assert recipe[name] == value, f"the page holds {name} at a value that is no default any more"


@pytest.mark.parametrize("size", [1, 50, 4000, 70_001])
@pytest.mark.parametrize("kind", ["noise", "text", "runs"])
def test_lzma(kind, size):
    rng = np.random.default_rng(size)
    data = {
        "noise": rng.integers(0, 256, size, dtype=np.uint8).tobytes(),
        "text": (b"the quick brown fox jumps over the lazy dog. " * (size // 45 + 1))[:size],
        "runs": np.repeat(rng.integers(0, 256, size // 7 + 1, dtype=np.uint8), 7)[:size].tobytes(),
    }[kind]
    how = {"id": lzma.FILTER_LZMA1, "preset": 9, "lc": 4, "lp": 0, "pb": 0}
    packed = lzma.compress(data, lzma.FORMAT_ALONE, filters=[how])
    found = script(f"""
        import {{ createHash }} from "node:crypto";
        import {{ unpacked }} from "./src/engine/lzma.js";
        const made = unpacked(Buffer.from("{packed.hex()}", "hex"), {size});
        let cut = "";
        try {{ unpacked(Buffer.from("{packed.hex()}", "hex"), {size} + 5); }} catch (error) {{ cut = error.message; }}
        console.log(JSON.stringify([createHash("sha256").update(made).digest("hex"), cut]));
    """)
    assert found[0] == hashlib.sha256(data).hexdigest()
    assert found[1] == "The packed file is cut short."


def test_texts_inside_pictures_go_both_ways(tmp_path):
    words = 'a "Record" with ä, 夢 and\nlines'
    picture = io.BytesIO()
    Image.new("RGB", (5, 4), "teal").save(picture, "PNG")
    files.save(tmp_path / "python.png", torch.zeros(1, 3, 4, 5), text=words)
    found = script(f"""
        import {{ readFileSync }} from "node:fs";
        import {{ textIn, withText }} from "./src/recipe/png.js";
        const plain = Buffer.from("{picture.getvalue().hex()}", "hex");
        const made = withText(plain, {json.dumps(words)});
        const python = readFileSync({json.dumps(str(tmp_path / "python.png"))});
        const texts = [await textIn(made), await textIn(plain), await textIn(python)];
        console.log(JSON.stringify([Buffer.from(made).toString("hex"), ...texts]));
    """)
    (tmp_path / "page.png").write_bytes(bytes.fromhex(found[0]))
    assert files.read_text(tmp_path / "page.png") == words
    with Image.open(tmp_path / "page.png") as opened:
        opened.verify()
    assert found[1:] == [words, "", words]


def test_the_service_worker_knows_every_file_by_its_hash(page_folder):
    text = (page_folder / "sw.js").read_text("utf-8")
    listed = json.loads(text.partition("const FILES = ")[2].partition(";\n")[0])
    there = {each.relative_to(page_folder).as_posix() for each in page_folder.rglob("*") if each.is_file()}
    assert there - {"sw.js"} == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((page_folder / name).read_bytes()).hexdigest() == digest
    shell = json.loads(text.partition("const SHELL = ")[2].partition(";\n")[0])
    assert {"index.html", "src/page/app.js", "data/page.json"} <= set(shell) <= set(listed)


def test_presets_of_the_page_can_be_dreamt_there(page_folder, graphs):  # noqa: F811
    page = json.loads((page_folder / "data" / "page.json").read_text("utf-8"))
    assert len(page["presets"]) >= 10
    found = script(f"""
        import {{ readFileSync }} from "node:fs";
        import {{ planned }} from "./src/dream/plan.js";
        import {{ checked }} from "./src/recipe/check.js";
        const page = JSON.parse(readFileSync({json.dumps(str(page_folder / "data" / "page.json"))}, "utf-8"));
        const manifest = JSON.parse(readFileSync({json.dumps(str(graphs / "motif.json"))}, "utf-8"));
        const recipes = Object.values(page.presets).map((each) => checked(each.recipe, page.fields));
        const plans = recipes.map((recipe) => planned(recipe, manifest, [300, 400]));
        console.log(JSON.stringify(plans.map((plan) => plan.octaves.length)));
    """)
    assert len(found) == len(page["presets"])
    assert min(found) >= 1
