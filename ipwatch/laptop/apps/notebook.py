"""Jupyter Notebook, 7 and the classic one. Any running Jupyter server of the user's is taken first."""

from ipwatch.core.app import Recipe
from ipwatch.laptop.apps import jupyter


def recipe(words: tuple[str, ...], folder: str) -> Recipe:
    """jupyter notebook; words: further options."""
    lab = jupyter.recipe(words, folder)
    return lab._replace(name="notebook", words=("notebook", *jupyter.WORDS), pages=("/tree", "/lab"))
