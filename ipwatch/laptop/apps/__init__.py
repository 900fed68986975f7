"""`ipwatch open`: one mechanism (run), a preset a file (a function `recipe`), a script that works there (there.sh).

run      find or start, forward, wait for the page, open the browser, stay
there    asks the host: sends there.sh through `sh -s` and reads what it tells
page     asks the app for its page, through the tunnel
browser  opens the browser, where there is one, without a token in any argument list
"""

import importlib
from collections.abc import Callable, Mapping, Sequence

from ipwatch.core.app import Recipe
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.settings.faults import nearest
from ipwatch.settings.laptop_model import App

PRESETS = ("jupyter", "notebook", "streamlit", "uvicorn", "docker")  # a file of this package each


def recipe_of(name: str, words: Sequence[str], folder: str, own: Mapping[str, App]) -> Recipe:
    """How that app is started: one of the user's own, else a preset. Raises Trouble."""
    if name in own:
        from ipwatch.laptop.apps.own import recipe  # noqa: PLC0415 - a preset is imported when it is used

        return recipe(name, own[name], tuple(words), folder)
    if name not in PRESETS:
        raise Trouble(Kind.CONFIGURATION, _unknown(name, tuple(own)))
    preset: Callable[[tuple[str, ...], str], Recipe] = importlib.import_module(f"{__name__}.{name}").recipe
    return preset(tuple(words), folder)


def _unknown(name: str, own: tuple[str, ...]) -> str:
    if meant := nearest(name, (*own, *PRESETS)):
        return f"there is no app called {name}; did you mean {meant}?"
    yours = f", and of your own {', '.join(own)}" if own else "; a [host.app.NAME] in laptop.toml makes one of your own"
    return f"there is no app called {name}; there are {', '.join(PRESETS)}{yours}"
