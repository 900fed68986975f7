"""Jupyter Lab. Any running Jupyter server of the user's is taken first."""

from ipwatch.core.app import Recipe

# Aliases that Lab, Notebook 7 and the classic Notebook share (`jupyter lab --help`, jupyter_server 2 and notebook 6,
# 2026-11). No retries: the port was found free, and one chosen silently would not be ours.
WORDS = ("--no-browser", "--ip=127.0.0.1", "--port={port}", "--port-retries=0")


def recipe(words: tuple[str, ...], folder: str) -> Recipe:
    """jupyter lab; words: further options. The token goes through the environment (jupyter_server's
    IdentityProvider.token: "set directly with the JUPYTER_TOKEN environment variable")."""
    return Recipe(
        name="jupyter",
        program="jupyter",
        words=("lab", *WORDS),
        more=words,
        first=8888,
        pages=("/lab", "/tree"),
        token_in="JUPYTER_TOKEN",  # noqa: S106 - the name of the variable, no token
        finds="jupyter",
        folder=folder,
    )
