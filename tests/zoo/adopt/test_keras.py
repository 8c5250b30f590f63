"""Keras 3 models on torch: from Python, from files, from keras.applications; layers, order of channels, trust."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp(prefix="reverie-keras-"))

import keras

import reverie
from reverie import zoo
from reverie.ascent.gradient import image_gradient
from reverie.cli import main
from reverie.errors import InputError, MissingError, UnknownName, UsageError
from reverie.network import Network
from reverie.objective import layer
from reverie.zoo.adopt import keras as adapter
from tests.oracle.networks import noise

# Keras' own way to numpy arrays, and its advice on its older format.
pytestmark = [pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
              pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")]

QUICK = ["--size", "48x40", "--steps", "1", "--octaves", "1", "--precision", "fp32", "--quiet", "--overwrite"]
IMAGE = noise(2, 3, 40, 56)
L = keras.layers


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(3)
    yield tmp_path
    keras.utils.clear_session()


def small(side: int | None = None, channels: int = 3, last: Any = None) -> Any:
    """conv, a nested model of two layers, a sum, and a head of five with softmax."""
    x = inputs = keras.Input((side, side, channels))
    x = L.Conv2D(6, 3, padding="same", activation="relu", name="conv")(x)
    inner = keras.Sequential([L.Conv2D(6, 3, padding="same", name="a"), L.ReLU(name="b")], name="inner")
    x = L.Add(name="sum")([inner(x), x])
    x = L.Flatten()(L.MaxPooling2D(4)(x)) if last == "flat" else L.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, L.Dense(5, activation="softmax", name="classes")(x), name="small")


def shown(network: Network, image: torch.Tensor = IMAGE) -> torch.Tensor:
    return network.adapter.enter(image)  # type: ignore[union-attr]


def test_a_model_of_yours_is_seen_as_keras_sees_it() -> None:
    model = small()
    network = reverie.adopt(model, range=(-1, 1), labels=["a", "b", "c", "d", "e"])
    names = [each.name for each in network.layers]
    assert {"conv", "inner", "inner/a", "inner/b", "sum", "classes"} <= set(names)
    found = network.capture(IMAGE, names)
    x = (IMAGE * 2 - 1).permute(0, 2, 3, 1)
    for name in ("conv", "sum"):
        other = keras.Model(model.input, model.get_layer(name).output)(x, training=False)
        torch.testing.assert_close(found[name], other.permute(0, 3, 1, 2))
    assert network.logits == "classes"
    torch.testing.assert_close(found["classes"].softmax(1), model(x, training=False))  # what stands before the softmax
    assert (network.require_layer("conv").channels, network.require_layer("conv").receptive) == (6, 3)
    assert model.trainable_variables and all(each.value.requires_grad for each in model.trainable_variables)
    assert model.get_layer("classes").activation is keras.activations.softmax


def test_the_gradient_is_that_of_keras() -> None:
    model = small()
    _, g = image_gradient(reverie.adopt(model), layer("sum"), IMAGE)
    image = IMAGE.clone().requires_grad_()
    seen = keras.Model(model.input, model.get_layer("sum").output)(image.permute(0, 2, 3, 1), training=False)
    (expected,) = torch.autograd.grad(0.5 * seen.square().mean((1, 2, 3)).sum(), image)
    torch.testing.assert_close(g[0], expected)


def test_nothing_behind_the_deepest_layer_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    network = reverie.adopt(small())
    monkeypatch.setattr(L.Dense, "call", lambda *_, **__: 1 / 0)
    assert network.capture(IMAGE, ["inner/a", "sum"])["sum"].shape == (2, 6, 40, 56)
    assert all(not part._forward_hooks for part in network.module.modules())
    with pytest.raises(ZeroDivisionError):
        network.capture(IMAGE, ["classes"])


def test_a_layer_that_is_not_run_is_refused_by_name() -> None:
    network = reverie.adopt(small())
    inputs = next(path for path, part in network.module.named_modules() if isinstance(part, L.InputLayer))
    with pytest.raises(UsageError, match=f"'{inputs}' .*takes no part"):
        network.require_layer(inputs)
    with pytest.raises(UnknownName, match="did you mean 'inner/a'"):
        network.require_layer("innr/a")


def test_gray_models_and_models_of_one_size() -> None:
    network = reverie.adopt(small(32, channels=1, last="flat"))
    assert network.adapter.window == (32, 32)  # type: ignore[union-attr]
    assert shown(network, noise(1, 3, 64, 96)).shape == (6, 1, 32, 32)
    found = network.capture(noise(1, 3, 64, 96), ["sum", "classes"])
    assert (found["sum"].shape, found["classes"].shape) == ((1, 6, 64, 96), (1, 5, 2, 3))
    assert reverie.adopt(small(32)).adapter.window is None  # type: ignore[union-attr]  # its declared size binds nothing


def test_channels_first_is_told() -> None:
    inputs = keras.Input((3, None, None))
    model = keras.Model(inputs, L.Conv2D(7, 3, data_format="channels_first", name="conv")(inputs))
    network = reverie.adopt(model)
    seen = network.capture(IMAGE, ["conv"])["conv"]
    torch.testing.assert_close(seen, model(IMAGE, training=False))


def test_a_model_of_a_class_of_yours() -> None:
    class Mine(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = L.Conv2D(4, 3, name="conv"), L.BatchNormalization(name="norm")

        def call(self, x: Any, training: bool = False) -> Any:
            return self.norm(self.conv(x), training=training)

    network = reverie.adopt(Mine())
    assert [each.name for each in network.layers] == ["conv", "norm"]
    assert image_gradient(network, layer("norm"), IMAGE)[1].abs().sum() > 0


def test_tokens_lie_on_their_grid() -> None:
    inputs = keras.Input((32, 32, 3))
    x = L.Reshape((16, 12))(L.Conv2D(12, 8, strides=8, name="patches")(inputs))
    x = L.Add(name="mixed")([L.MultiHeadAttention(2, 6, name="attention")(x, x), x])
    network = reverie.adopt(keras.Model(inputs, x))
    assert "attention/query" in {each.name for each in network.layers}
    assert network.capture(noise(1, 3, 64, 32), ["mixed"])["mixed"].shape == (1, 12, 8, 4)
    assert network.require_layer("mixed").stride == 8


def test_models_that_take_no_picture_are_refused() -> None:
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    with pytest.raises(UsageError, match="takes 2 inputs, and a dream has one picture"):
        reverie.adopt(keras.Model([one, two], L.Add()([one, two])))
    row = keras.Input((9,))
    with pytest.raises(UsageError, match="which is no picture"):
        reverie.adopt(keras.Model(row, L.Dense(3)(row)))
    with pytest.raises(UsageError, match="computes in fp32 alone"):
        reverie.dream(network=reverie.adopt(small()), size="48x40", steps=1, precision="bf16")


# Files


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_file_dreams_and_is_replayed_only_when_trusted(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    small().save(name)
    assert main(["dream", "noise", *QUICK, "--network", f"keras:{name}", "--objective", "inner/b", "-o", "a.png"]) == 0
    capsys.readouterr()
    assert main(["replay", "a.png", "-o", "b.png"]) == 2
    assert f"a.png wants the network keras:{name}, and loading that can run code" in capsys.readouterr().err
    assert main(["replay", "a.png", "-o", "b.png", "--trust", "--quiet"]) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert reverie.replay("a.png", trust=True).record.versions["keras"] == keras.version()


def test_inception_saved_and_reloaded_dreams_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    model = keras.applications.InceptionV3(weights=None)
    model.save("inception.keras")
    network = zoo.load("keras:inception.keras")
    x = IMAGE.new_tensor(np.random.default_rng(0).random((1, 3, 96, 112)))
    torch.testing.assert_close(shown(network, x), x * 2 - 1)  # known by its name
    found = network.capture(x, ["mixed4", "predictions"])
    seen = keras.Model(model.input, model.get_layer("mixed4").output)
    seen.input_spec = None
    torch.testing.assert_close(found["mixed4"], seen.call((x * 2 - 1).permute(0, 2, 3, 1), training=False)
                               .permute(0, 3, 1, 2), rtol=1e-3, atol=1e-4)
    assert network.labels[1] == "goldfish, Carassius auratus" and network.objective == "mixed7"
    assert main(["dream", "noise", *QUICK, "--network", "keras:inception.keras", "--objective", "mixed4",
                 "-o", "a.png"]) == 0
    assert main(["layers", "keras:inception.keras"]) == 0
    assert "mixed4" in capsys.readouterr().out


def test_a_file_that_brings_code_is_not_opened() -> None:
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, L.Lambda(lambda x: x * 2)(inputs))
    model.save("lambda.keras")
    model.save("lambda.h5")
    for name in ("lambda.keras", "lambda.h5"):
        with pytest.raises(InputError, match=r"brings code along \(a Lambda layer\) and was not opened"):
            zoo.load(f"keras:{name}")


def test_a_file_that_names_other_modules_is_not_opened() -> None:
    small().save("model.keras")
    with zipfile.ZipFile("model.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["module"], config["class_name"] = "os", "system"
    with zipfile.ZipFile("evil.keras", "w") as archive:
        for name, content in (parts | {"config.json": json.dumps(config).encode()}).items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=r"brings code along \(os\.system\)"):
        zoo.load("keras:evil.keras")


def test_what_is_no_model_is_one_sentence() -> None:
    Path("text.keras").write_text("no")
    small().save_weights("only.weights.h5")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("config.json", '{"module": "keras", "class_name": "Nonsense", "config": {}}')
    Path("odd.keras").write_bytes(content.getvalue())
    for name, said in {"absent.keras": "does not exist", "text.keras": "no Keras model, or damaged",
                       "only.weights.h5": "holds weights alone", "odd.keras": "cannot be opened"}.items():
        with pytest.raises(InputError, match=said):
            zoo.load(f"keras:{name}")
    small().save("model.keras")
    with pytest.raises(UsageError, match="brings its own weights"):
        zoo.load("keras:model.keras", "only.weights.h5")


# keras.applications


def test_an_application_takes_what_its_own_function_says() -> None:
    x = noise(1, 3, 64, 64)
    expected = keras.applications.vgg16.preprocess_input(x.numpy().copy() * 255, data_format="channels_first")
    random = zoo.architecture("keras:applications.MobileNetV2")
    torch.testing.assert_close(shown(random, x), x * 2 - 1)
    from reverie.zoo.adopt.keras_named import _way_in

    sight = _way_in(keras, keras.applications.VGG16)
    assert sight is not None
    torch.testing.assert_close(sight.colored(x), torch.as_tensor(expected.copy()), rtol=1e-4, atol=1e-3)
    assert random.labels[1] == "goldfish, Carassius auratus"
    assert random.logits == "predictions"


def test_an_application_is_the_same_each_time_and_takes_weights() -> None:
    one = zoo.load("keras:applications.MobileNetV2@random")
    two = zoo.load("keras:applications.MobileNetV2@random")
    assert one.sha256 == two.sha256
    assert [each.name for each in one.layers] == [each.name for each in two.layers]
    keras.utils.clear_session()
    model = keras.applications.MobileNetV2(weights=None)
    names = {each.name for each in keras.applications.InceptionV3(weights=None).layers}
    assert {each.name for each in zoo.architecture("keras:applications.InceptionV3").layers} <= names
    model.save_weights("mine.weights.h5")
    filled = zoo.load("keras:applications.MobileNetV2", "mine.weights.h5")
    x = noise(1, 3, 96, 96)
    logits = filled.capture(x, ["predictions"])["predictions"]
    assert logits.shape == (1, 1000)
    Path("bad.weights.h5").write_text("no")
    with pytest.raises(InputError, match=r"do not fit keras:applications\.MobileNetV2"):
        zoo.load("keras:applications.MobileNetV2", "bad.weights.h5")


def test_without_weights_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MissingError, match=r"are not here \(Reverie is offline\); .* keras:\S*MobileNetV2@random"):
        zoo.load("keras:applications.MobileNetV2")
    assert capsys.readouterr().out == ""
    with pytest.raises(UnknownName, match="did you mean 'InceptionV3'"):
        zoo.load("keras:applications.InceptionV33")


# Keras itself


def test_keras_is_put_on_torch_or_refused() -> None:
    code = "import sys; from reverie.cli import main; sys.exit(main(['layers', 'keras:model.keras']))"
    small().save("model.keras")
    for backend, expected in (("tensorflow", 2), ("", 0)):
        environment = {**os.environ, "KERAS_BACKEND": backend}
        if not backend:
            del environment["KERAS_BACKEND"]
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stderr
        assert ("say KERAS_BACKEND=torch" in done.stderr) == bool(backend)


def test_another_backend_or_no_keras_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(UsageError, match="Keras runs on jax here"):
        adapter.import_keras()
    monkeypatch.setattr(keras, "version", lambda: "2.15.0")
    with pytest.raises(MissingError, match="need Keras 3"):
        adapter.import_keras()
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MissingError, match=r"not installed; run pip install 'reverie\[keras\]'"):
        adapter.import_keras()
    monkeypatch.undo()

    class Other:
        __module__ = "keras.src.models.model"

    with pytest.raises(UsageError, match="another backend than torch"):
        reverie.adopt(Other())
