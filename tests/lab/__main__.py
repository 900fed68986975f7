"""`python -m tests.lab [--write]`: play all of it, print the table; --write: put it into README.md, too."""

import sys
from pathlib import Path

import pytest

from tests.lab import table

ROOT = Path(__file__).parents[2]


def main(words: list[str]) -> int:
    """The exit status of the tests."""
    rest = [word for word in words if word != "--write"]
    files = [str(Path(__file__).parent / f"test_{part}.py") for part in ("story", "road_faults", "house_faults", "lab")]
    status = int(pytest.main(["-q", "-rs", *files, *rest]))
    print(f"\n{table.text()}")
    if "--write" in words and status == 0 and not table.write(ROOT / "README.md"):
        print("README.md has no marks for it")
        return 1
    return status


sys.exit(main(sys.argv[1:]))
