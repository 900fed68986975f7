"""Streamlit: a script of the user's."""

from ipwatch.core.app import Recipe
from ipwatch.core.trouble import Kind, Trouble


def recipe(words: tuple[str, ...], folder: str) -> Recipe:
    """streamlit run SCRIPT; further words are the script's own (`streamlit run --help`: TARGET [ARGS]; 2026-11).
    headless: it does not ask for a mail address at its first start, and opens no browser there."""
    if not words:
        raise Trouble(Kind.CONFIGURATION, "streamlit needs a script: ipwatch open HOST streamlit app.py")
    return Recipe(
        name="streamlit",
        program="streamlit",
        words=("run", "--server.port={port}", "--server.address=localhost", "--server.headless=true"),
        more=("--", *words) if words[0].startswith("-") else words,
        first=8501,
        folder=folder,
    )
