"""One lab for each test."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes import image as images
from tests.fakes.netns import needs_namespaces
from tests.lab.lab import FIRST, Lab, lab
from tests.lab.shipped import Image


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Lab]:
    """The service off, nothing published, the desktop on."""
    needs_namespaces()
    with lab(tmp_path) as it:
        it.desktop.on()
        yield it


@pytest.fixture(scope="session")
def image() -> Iterator[Image | str]:
    """The image of docker/Dockerfile, built here; or why there is none."""
    with ExitStack() as stack:
        try:
            storage, name, _ = stack.enter_context(images.built())
        except pytest.skip.Exception as reason:  # the story is no worse for it
            yield str(reason)
        else:
            yield Image(storage, name)


@pytest.fixture
def settled(home: Lab) -> Lab:
    """The service runs and has published and told the first address; a small page on the desktop."""
    home.desktop.work(real=False)
    home.power_on()
    home.published(FIRST)
    home.mailed(FIRST)
    assert home.desktop.works()
    return home
