"""The public list, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import reverie


def test_the_public_list_is_sorted_and_every_name_is_there():
    assert reverie.__all__ == sorted(reverie.__all__)
    for name in reverie.__all__:
        value = getattr(reverie, name)
        assert value.__doc__, f"{name} has no docstring"
    assert set(reverie.__all__) <= set(dir(reverie))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = reverie.nonsense


@pytest.mark.parametrize("code", [
    "import reverie", "import reverie.recipe", "import reverie.recipe.grammar",
    "from reverie.cli import main; main(['--help'])", "from reverie.cli import main; main(['dream', '--help'])",
    "from reverie.cli import main; main(['--version'])", "from reverie.cli import main; main(['networks'])",
    "from reverie.cli import main; main(['dream', '--steps', '0'])",
])
def test_torch_is_not_imported_before_it_is_needed(code):
    check = f"{code}\nimport sys\nsys.exit(int('torch' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, check=False).returncode == 0
