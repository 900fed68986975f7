"""The user's own commands: `[host.app.NAME]` of laptop.toml."""

import shlex

from ipwatch.core.app import Recipe
from ipwatch.settings.laptop_model import App


def recipe(name: str, app: App, words: tuple[str, ...], folder: str) -> Recipe:
    """The command is a line for the user's own shell there, as they wrote it; words typed after it are arguments."""
    return Recipe(
        name=name,
        command=" ".join((app.command, *map(shlex.quote, words))),
        more=words,
        port=app.port,
        pages=(app.path,) if app.path else (),
        folder=folder or app.folder,
    )
