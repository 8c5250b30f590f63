"""Frames to video files: codecs, the frames kept on disk, metadata, posters."""
