"""The image, built once for all tests of this folder, and the house each of its containers stands in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import image
from tests.fakes.nas import Built, Nas


@pytest.fixture(scope="session")
def built() -> Iterator[Built]:
    """The image; removed when the last test is done."""
    with image.built() as made:
        yield Built(*made)


@pytest.fixture
def nas(built: Built, tmp_path: Path) -> Iterator[Nas]:
    """A place to run it."""
    with Nas(built, tmp_path) as made:
        yield made
