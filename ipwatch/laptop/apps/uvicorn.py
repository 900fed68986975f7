"""Uvicorn: an ASGI application of the user's."""

from ipwatch.core.app import Recipe
from ipwatch.core.trouble import Kind, Trouble


def recipe(words: tuple[str, ...], folder: str) -> Recipe:
    """uvicorn MODULE:APP; words: further options. An API often has no page at / but its documentation at /docs."""
    if not words or ":" not in words[0]:
        raise Trouble(
            Kind.CONFIGURATION, "uvicorn needs a module and its application: ipwatch open HOST uvicorn main:app"
        )
    return Recipe(
        name="uvicorn",
        program="uvicorn",
        words=("--host", "127.0.0.1", "--port", "{port}"),
        more=words,
        first=8000,
        pages=("/", "/docs"),
        folder=folder,
    )
