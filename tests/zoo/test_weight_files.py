"""Weights as people keep them: wrapped, divided, packed, quantized, hostile."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save, save_file
from torch import Tensor, nn

import reverie
from reverie import zoo
from reverie.cli import main
from reverie.errors import InputError
from reverie.zoo.unwrapping import unwrapped
from reverie.zoo.weights import filled, read_weights

NAME = "squeezenet1_0"


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return {key: value.clone() for key, value in zoo.architecture(NAME).module.state_dict().items()}


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in tensors.items()}


def other(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value + 1 for key, value in tensors.items()}


def same(path: Path, tensors: dict[str, Tensor], within: float = 0) -> None:
    own = zoo.load(NAME, path).module.state_dict()
    assert own.keys() == tensors.keys()
    for key, value in own.items():
        torch.testing.assert_close(value, tensors[key], rtol=0, atol=within)


WRAPPED: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "compiled": lambda t: under("_orig_mod.", t),
    "data parallel": lambda t: under("module.", t),
    "both": lambda t: under("module._orig_mod.", t),
    "sharded": lambda t: under("_fsdp_wrapped_module.", t),
    "wrapped in the middle": lambda t: {k.replace("features.", "features._orig_mod."): v for k, v in t.items()},
    "lightning": lambda t: {"state_dict": under("model.", t), "epoch": 1, "optimizer_states": [{}]},
    "lightning net": lambda t: {"state_dict": under("net.", t)},
    "lightning backbone": lambda t: {"state_dict": {**under("backbone.", t), "loss.weight": torch.ones(3)}},
    "tutorial": lambda t: {"model_state_dict": t, "optimizer_state_dict": {"state": {0: {"step": torch.ones(1)}}}},
    "model": lambda t: {"model": t, "args": {"lr": 0.1}},
    "params": lambda t: {"params": t},
    "net": lambda t: {"net": t, "acc": 93.1},
    "numbers beside": lambda t: {**t, "epoch": 7},
    "swa": lambda t: {"n_averaged": torch.tensor(4), **under("module.", t)},
    "layers in parts": lambda t: {
        "features": {k.removeprefix("features."): v for k, v in t.items() if k.startswith("features.")},
        "classifier": {k.removeprefix("classifier."): v for k, v in t.items() if k.startswith("classifier.")},
    },
}


@pytest.mark.parametrize("how", WRAPPED)
def test_wrapped_weights_are_unwrapped(how: str, tensors: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(WRAPPED[how](tensors), tmp_path / "a.pth")
    same(tmp_path / "a.pth", tensors)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "net.backbone."])
def test_wrapped_safetensors_are_unwrapped(prefix: str, tensors: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(under(prefix, tensors), tmp_path / "a.safetensors")
    same(tmp_path / "a.safetensors", tensors)


@pytest.mark.parametrize(
    ("plain", "average"),
    [("params", "params_ema"), ("state_dict", "state_dict_ema"), ("model", "ema"), ("student", "teacher")],
)
def test_the_averaged_weights_are_preferred_and_that_is_said(
    plain: str, average: str, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save({plain: other(tensors), average: tensors}, tmp_path / "a.pth")
    same(tmp_path / "a.pth", tensors)
    job = reverie.job(None, network=NAME, weights=tmp_path / "a.pth", size=64, steps=1, octaves=1)
    assert [note for note in job.notes if f"the averaged ones ({average}) were taken" in note]


def test_an_average_without_statistics_takes_them_from_the_others(tmp_path: Path) -> None:
    state = zoo.architecture("resnet18").module.state_dict()
    parameters = dict(zoo.architecture("resnet18").module.named_parameters())
    plain = {key: torch.full_like(value, 3) for key, value in state.items()}
    average = {key: torch.full_like(state[key], 5) for key in parameters}
    torch.save({"model": plain, "model_ema": average}, tmp_path / "a.pth")
    own = zoo.load("resnet18", tmp_path / "a.pth").module.state_dict()
    assert float(own["conv1.weight"].mean()) == 5
    assert float(own["bn1.running_mean"].mean()) == 3


def test_what_a_network_itself_calls_so_is_not_stripped(tmp_path: Path) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Conv2d(3, 4, 3)
            self.model = nn.Conv2d(4, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.model(self.module(x))  # type: ignore[no-any-return]

    net = Net()
    expected = {key: value.clone() for key, value in net.state_dict().items()}
    for prefix in ("", "module.", "model.", "_orig_mod.module."):
        torch.save(under(prefix, expected), tmp_path / "a.pth")
        for value in net.parameters():
            nn.init.zeros_(value)
        network = reverie.adopt(net)
        filled(network, unwrapped(read_weights(tmp_path / "a.pth"), lambda: network))  # noqa: B023
        own = network.module.state_dict()
        assert own.keys() == expected.keys() and all(torch.equal(own[key], expected[key]) for key in own), prefix


def test_weights_of_another_network_are_still_refused(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"state_dict": under("model.", tensors)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="belong to another network than resnet18"):
        zoo.load("resnet18", tmp_path / "a.pth")


def test_weights_packed_by_gzip_are_read(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "a")
    (tmp_path / "a.gz").write_bytes(gzip.compress((tmp_path / "a").read_bytes(), 1))
    same(tmp_path / "a.gz", tensors)
    (tmp_path / "a.gz").write_bytes((tmp_path / "a.gz").read_bytes()[:-1000])
    with pytest.raises(InputError, match="damaged or cut short"):
        zoo.load(NAME, tmp_path / "a.gz")


def test_torchscript_gives_its_weights_and_runs_nothing(tmp_path: Path) -> None:
    network = zoo.load("motif")
    expected = {key: value.clone() for key, value in network.module.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network.module, torch.zeros(1, 3, 64, 64), check_trace=False).save(tmp_path / "a.pt")  # type: ignore[no-untyped-call]
    own = zoo.load("motif", tmp_path / "a.pt").module.state_dict()
    assert all(torch.equal(own[key], expected[key]) for key in own)


def test_torchscript_whose_pickle_calls_a_function_runs_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "was-run"),)

    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({"weight": Evil()}, 2))
        archive.writestr("a/constants.pkl", pickle.dumps((), 2))
    with pytest.raises(InputError):
        read_weights(tmp_path / "a.pt")
    assert not (tmp_path / "was-run").exists()


def test_a_torchscript_tensor_that_leaves_its_storage_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(nn.Conv2d(3, 4, 3)).save(tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "b.pt", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content[:8] if name.endswith("data/0") else content)
    with pytest.raises(InputError, match="damaged"):
        read_weights(tmp_path / "b.pt")


def test_divided_weights_bring_their_parts(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    keys = list(tensors)
    halves = [{key: tensors[key] for key in keys[:26]}, {key: tensors[key] for key in keys[26:]}]
    files = [tmp_path / f"model-0000{at}-of-00002.safetensors" for at in (1, 2)]
    for file, half in zip(files, halves, strict=True):
        save_file(half, file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {key: files[key not in halves[0]].name for key in keys}}))
    for path in (*files, index):
        same(path, tensors)
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert read_weights(index).sha256 == hashlib.sha256("".join(digests).encode()).hexdigest()
    files[1].unlink()
    for path in (files[0], index):
        with pytest.raises(InputError, match=r"divided into 2 files, and model-00002-of-00002.safetensors is not"):
            zoo.load(NAME, path)


def test_an_index_reads_only_what_lies_beside_it(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    for content in ('{"weight_map": {"a": "/etc/passwd"}}', '{"weight_map": {"a": "../b"}}', "{}", "[" * 100_000, "3"):
        index.write_text(content)
        with pytest.raises(InputError, match="names no weights files beside it"):
            read_weights(index)


def test_quantized_and_sparse_tensors_become_plain_ones(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates them
        quantized = {
            key: torch.quantize_per_tensor(value, 0.001, 0, torch.qint32) for key, value in tensors.items()
        }
        matrix = tensors["classifier.1.weight"].flatten(1)
        torch.save(quantized, tmp_path / "q.pth")
        torch.save({key: value.to_sparse() for key, value in tensors.items()}, tmp_path / "s.pth")
        torch.save({"a": matrix.to_sparse_csr(), "b": matrix.to_sparse_csc()}, tmp_path / "c.pth")
    same(tmp_path / "q.pth", tensors, 0.001)
    same(tmp_path / "s.pth", tensors)
    for value in read_weights(tmp_path / "c.pth").tensors.values():
        assert torch.equal(value, matrix)


def test_a_sparse_tensor_cannot_write_beside_itself(tmp_path: Path) -> None:
    bad = torch.sparse_coo_tensor(torch.tensor([[9]]), torch.ones(1), (3,), check_invariants=False)
    torch.save({"a": bad}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="damaged"):
        read_weights(tmp_path / "a.pth")


def written(path: Path, header: dict[str, Any], data: bytes = b"") -> Path:
    """A safetensors file by hand."""
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def hostile(path: Path, kind: str) -> Path:  # noqa: PLR0912  (one file a kind)
    one = torch.ones(1)
    if kind == "meta":
        torch.save({"a": torch.empty(3, device="meta")}, path)
    elif kind == "nested":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.save({"a": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])}, path)
    elif kind == "complex":
        torch.save({"a": torch.ones(3, dtype=torch.complex64)}, path)
    elif kind == "expanded":
        torch.save({"a": one.half().expand(10**6, 10**6)}, path)
    elif kind == "sparse":
        torch.save({"a": torch.sparse_coo_tensor(torch.tensor([[0]]), one, (10**12,))}, path)
    elif kind == "deflated":
        torch.save({"a": torch.zeros(30_000_000)}, path)
        with zipfile.ZipFile(path) as archive:
            parts = {each: archive.read(each) for each in archive.namelist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
    elif kind in ("F4", "F8_E8M0"):
        written(path, {"a": {"dtype": kind, "shape": [2], "data_offsets": [0, 1 if kind == "F4" else 2]}}, b"12")
        if kind == "F4":
            path.write_bytes(path.read_bytes()[:-1])
    elif kind == "deep":
        text = b'{"__metadata__": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
        path.write_bytes(len(text).to_bytes(8, "little") + text)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "pointer":
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    elif kind == "page":
        path.write_text("\n<!DOCTYPE html><html><body>404</body></html>")
    return path


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("meta", "names without numbers"),
        ("nested", "nested tensor"),
        ("complex", "complex numbers"),
        ("expanded", "claims more numbers than it holds"),
        ("sparse", "claims more numbers than it holds"),
        ("deflated", "unpacks to far more than it is"),
        ("F4", "damaged|which torch cannot compute with"),
        ("F8_E8M0", "damaged|which torch cannot compute with"),
        ("deep", "nested too deeply|damaged"),
        ("folder", "is a folder"),
        ("pipe", "is no regular file"),
        ("pointer", "git lfs pull"),
        ("page", "is a web page"),
    ],
)
def test_hostile_files_end_in_their_sentence(
    kind: str, sentence: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = hostile(tmp_path / "a.bin", kind)
    with pytest.raises(InputError, match=sentence):
        read_weights(path)
    options = ["--network", NAME, "--weights", str(path), "--size", "64", "--out", str(tmp_path / "o.png")]
    assert main(["dream", "noise", *options]) == 3
    assert "Traceback" not in capfd.readouterr().err


def test_a_head_of_a_million_classes_is_refused_before_it_is_built(
    tensors: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({**tensors, "classifier.1.weight": torch.zeros(1_000_000, 1, 1, 1)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"no tensor classifier\.1\.weight that fits"):
        zoo.load(NAME, tmp_path / "a.pth")


@pytest.mark.parametrize("mean", ["[" + "1" * 400 + ", 1, 1]", "[NaN, 1, 1]", "[" * 100_000 + "]" * 100_000])
def test_a_mean_that_is_no_number_is_refused(mean: str, tensors: dict[str, Tensor], tmp_path: Path) -> None:
    told = f'{{"mean": {mean}, "std": [1, 1, 1], "labels": "imagenet"}}'
    (tmp_path / "a").write_bytes(save(tensors, {"reverie": told}))
    with pytest.raises(InputError, match="says of itself is damaged"):
        zoo.load(NAME, tmp_path / "a")
