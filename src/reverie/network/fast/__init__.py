"""The network rebuilt to run faster for the layers that are asked for."""

from reverie.network.fast.optimized import DTYPES, NARROW, Optimized, optimized, resolve_precision

__all__ = ["DTYPES", "NARROW", "Optimized", "optimized", "resolve_precision"]
