"""Every value of the options of visualization, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SEEN: dict[str, Any] = {
    "param": st.sampled_from(["pixels", "fourier", "fourier-rgb", "maco"]),
    "optimizer": st.sampled_from(["ascent", "adam", "nadam", "sgd"]),
    "start": st.sampled_from(["auto", "clouds", "faint", "natural", "uniform"]),
    "border": st.sampled_from(["mirror", "gray"]),
    "detail": st.sampled_from(["reinject", "lost", "carry"]),
    "octaves": st.sampled_from(["auto", 1, 2]),
    "decay": st.floats(0, 4), "cooldown": st.floats(0, 1), "rotate": st.floats(0, 180), "zoom": st.floats(0, 0.9),
    "resettle": st.integers(0, 80), "pad": st.integers(0, 40), "jitter": st.integers(0, 80), "grain": st.floats(0, 1),
    "crop": st.floats(0.01, 1), "last_crop": st.floats(0.01, 1), "crop_size": st.integers(16, 40),
    "views": st.integers(1, 3), "redirect": st.integers(0, 3), "count": st.integers(1, 2),
    "likeness": st.floats(0, 2), "contrast": st.floats(0, 3), "balance": st.sampled_from(["terms", "raw"]),
    "opacity": st.floats(0.01, 1), "step_size": st.floats(1e-4, 1), "blend": st.floats(0, 1),
    "seed": st.integers(0, 99),
}
