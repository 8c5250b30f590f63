"""The one loop: plans, octaves, frames, and how much a dream has changed its picture."""
