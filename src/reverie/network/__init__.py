"""A network as something to capture activations from; receptive fields; the network made faster."""

from reverie.network.network import Activations, Adapter, Layer, Network

__all__ = ["Activations", "Adapter", "Layer", "Network"]
