"""What networks trained on ImageNet share: their input normalization and the names of their classes."""

from __future__ import annotations

from importlib import resources

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def imagenet(count: int = 1000) -> tuple[str, ...]:
    """The ImageNet class names, synonyms separated by commas, for a head of 1000; none for another."""
    return tuple(_lines("imagenet.txt")) if count == 1000 else ()


def inception5h(count: int) -> tuple[str, ...]:
    """The names in the order of TensorFlow's 2015 network, for its head of 1008; none for another.

    Class 0 and the last seven mean nothing; between them stand the classes in the order of the
    ILSVRC 2012 development kit.
    """
    if count != 1008:
        return ()
    names = imagenet()
    order = [names[int(each)] for line in _lines("ilsvrc2012.txt") for each in line.split()]
    return ("unused 0", *order, *(f"unused {at}" for at in range(1001, 1008)))


def _lines(name: str) -> list[str]:
    return resources.files("reverie.zoo").joinpath(name).read_text("utf-8").splitlines()
