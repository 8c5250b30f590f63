"""An environment of their own for the peers, made in a temporary folder; it sees our torch, and we do not see it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ALONE = ["torch-lucent==0.1.8", "torch-dreams==4.0.0", "kornia", "kornia_rs"]
"""Installed without what they ask for: their pins are older than any torch of today."""

WHOLE = ["tqdm", "decorator", "ipython", "tensorflow-cpu"]


def environment(folder: Path) -> Path:
    """The interpreter of a new environment in ``folder``."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for extra in ([*WHOLE], ["--no-deps", *ALONE]):
        # Without tensorflow, say, the others are still compared.
        subprocess.run([*pip, *extra], check=False)
    purelib = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(purelib) / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return python
