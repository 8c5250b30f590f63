"""Step graphs: one ONNX file that scores a picture and tells the gradient of that score, for engines without autograd.

``export`` needs the extra ``web`` (the library onnx). What reads the files: the page in ``web/``, or any program with
an ONNX runtime.
"""

from reverie.export.manifest import Manifest, Part, default_layers, export

__all__ = ["Manifest", "Part", "default_layers", "export"]
