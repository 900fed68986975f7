"""The remote Docker (or Podman) engine, behind a socket here that only its user can open."""

from ipwatch.core.app import Recipe
from ipwatch.core.trouble import Kind, Trouble


def recipe(words: tuple[str, ...], folder: str) -> Recipe:
    """Nothing is started. GET /_ping answers 200 (Docker Engine API, "Ping", 2026-11)."""
    if words or folder:
        raise Trouble(Kind.CONFIGURATION, "docker takes neither words nor a folder: ipwatch open HOST docker")
    return Recipe(name="docker", pages=("/_ping",), finds="socket")
