"""Networks that were not made for Reverie: any torch module, torchvision, timm, Keras, a file of yours.

Nothing here imports torch or an optional library before it is named.
"""
