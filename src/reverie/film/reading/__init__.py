"""Video files to frames: decoding, color, tone mapping, sound."""
