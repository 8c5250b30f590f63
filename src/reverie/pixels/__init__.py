"""Pictures as tensors: resizing and bands, spectra, transforms, parametrizations."""
