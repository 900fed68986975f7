"""Asks the host: one POSIX sh script, sent over the standard input of `sh -s`.

What the user typed and the token travel inside the script as quoted words: nothing of it stands in an argument list
there, and no shell interprets it.
"""

import shlex
from collections.abc import Mapping
from datetime import timedelta
from importlib import resources

from ipwatch.core.app import PORT, Recipe, stem
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.ports.remote import Link
from ipwatch.protocols.told import Told, parse

WITHIN = timedelta(seconds=45)  # two login shells with slow start-up files, and a jupyter that lists its servers


def ask(link: Link, host: str, mode: str, recipe: Recipe, token: str = "", *, key: str = "") -> Told:
    """Run the script there in one of its modes: "find", "start", "look", "socket", "stop".

    Raises Trouble (APP_FAILED) for what stands in the way there, and Unreachable when the link is gone.
    """
    given = {
        "mode": mode,
        "name": recipe.name,
        "key": key or recipe.key,
        "title": recipe.title,
        "program": recipe.program,
        "command": recipe.command,
        "folder": recipe.folder,
        "port": str(recipe.port),
        "first": str(recipe.first),
        "token": token,
    }
    status, output, errors = link.run("sh -s", WITHIN, stdin=script(given, recipe).encode("utf-8", "surrogateescape"))
    told = parse(output)
    if told.fault is not None:
        raise Trouble(Kind.APP_FAILED, _sentence(host, recipe, *told.fault))
    if not told.complete:
        said = next((line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()), "")
        why = f": {said[:200]}" if said else f" (exit status {status})"
        raise Trouble(Kind.APP_FAILED, f"{host} could not run a script by sh{why}")
    return told


def everything(recipe: Recipe) -> str:
    """The key, as a pattern, of everything started under that app's name."""
    return f"{stem(recipe.name)}-*"


def script(given: Mapping[str, str], recipe: Recipe) -> str:
    """The whole of it. The last line alone makes it do something: half a script does nothing."""
    settings = "".join(f"{name}={shlex.quote(value)}\n" for name, value in given.items())
    body = resources.files(__package__).joinpath("there.sh").read_text("utf-8")
    return f"{settings}{_launch(recipe)}{body}main\n"


def _launch(recipe: Recipe) -> str:
    """The function that starts it."""
    if recipe.command:
        return "launch() { own_command; }\n"
    words = " ".join([*map(_word, recipe.words), *map(shlex.quote, recipe.more)])
    told = f"{recipe.token_in}=$token; export {recipe.token_in}; " if recipe.token_in else ""
    return f'launch() {{ {told}detach "$found" {words}; }}\n'


def _word(word: str) -> str:
    """One of a recipe's own words, with the port the script has found."""
    return '"$port"'.join(shlex.quote(part) if part else "" for part in word.split(PORT))


# What stands in the way, for people, by the script's word for it.
_SENTENCES = {
    "missing": "{program} is not installed on {host} (looked for it in {where}); "
    "--folder names a folder whose .venv has it",
    "folder": "{host} has no folder {where}",
    "port": "port {where} of {host} is taken by something that ipwatch did not start; "
    "to forward that: ipwatch up {host} {where}",
    "ports": "{host} has no free port from {where} on",
    "denied": "you may not use {where} on {host}: join the group that owns it there, and log in anew",
    "nosocket": "{host} has no container engine's socket (looked for {where}); is Docker installed and running there?",
    "state": "{where} on {host} can not be written",
}


def _sentence(host: str, recipe: Recipe, what: str, where: str) -> str:
    form = _SENTENCES.get(what, "{name} can not be started on {host}: {what} {where}")
    return form.format(host=host, name=recipe.name, program=recipe.program, what=what, where=where)
