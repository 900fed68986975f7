"""The user's own commands: `[host.app.NAME]` of laptop.toml."""

import shlex

from ipwatch.core.app import PORT, Recipe
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.settings.laptop_model import App


def recipe(name: str, app: App, words: tuple[str, ...], folder: str) -> Recipe:
    """The command is a line for the user's own shell there, as they wrote it; words typed after it are arguments."""
    if PORT not in app.command and not app.port:
        raise Trouble(
            Kind.CONFIGURATION,
            f"[host.app.{name}]: the command has no {PORT} and there is no port: nobody knows where it listens",
        )
    return Recipe(
        name=name,
        command=" ".join((app.command, *map(shlex.quote, words))),
        more=words,
        port=app.port,
        pages=(app.path,) if app.path else (),
        folder=folder or app.folder,
    )
