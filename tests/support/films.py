"""Frames that move, a job that is quick, and how far decoded patches are off."""

from __future__ import annotations

from typing import Any

import numpy as np

from reverie import api
from reverie.network import Network
from tests.oracle import clips
from tests.oracle.motion import texture


def moving(count, height=48, width=64):
    """A texture that moves 1 and 2 pixels a frame."""
    world = clips.patches(1, height + count, width + 2 * count)[0]
    return [world[n : n + height, 2 * n : 2 * n + width] for n in range(count)]


def off(image, rgb, margin=4):
    """The largest difference in the middle of each flat patch of 16 pixels."""
    difference = np.abs(image.astype(int) - rgb[..., :3])
    middle = np.zeros(difference.shape[:2], bool)
    for y in range(0, rgb.shape[0] - 15, 16):
        for x in range(0, rgb.shape[1] - 15, 16):
            middle[y + margin : y + 16 - margin, x + margin : x + 16 - margin] = True
    return difference[middle].max()


def job(network: Network, **options: Any) -> api.Job:
    values = {"steps": 3, "smallest": 24, "jitter": 3, "pad": 4, "objective": "relu2", "precision": "fp32", **options}
    return api.job(texture(0)[0, :, :48, :64], network=network, **values)
