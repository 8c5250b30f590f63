"""The loop of TensorFlow's DeepDream tutorial (a compiled function, Keras' Inception v3), whole picture, no roll."""

from __future__ import annotations

import os
from collections.abc import Callable

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import tensorflow as tf  # type: ignore[import-not-found, import-untyped]

from benchmarks.case import Case


def runner(case: Case) -> Callable[[int], None]:
    tf.config.threading.set_intra_op_parallelism_threads(case.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if case.precision == "bf16" else "float32")
    base = keras.applications.InceptionV3(include_top=False, weights=None)
    model = keras.Model(base.input, base.get_layer(case.layer).output)

    @tf.function
    def step(image: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = tf.reduce_mean(tf.cast(model(image), tf.float32))
        g = tape.gradient(loss, image)
        g /= tf.math.reduce_std(g) + 1e-8
        return tf.clip_by_value(image + 0.01 * g, -1, 1)

    source = tf.random.uniform((1, *case.size, 3))

    def run(steps: int) -> None:
        image = source
        for _ in range(steps):
            image = step(image)
        image.numpy()

    return run
