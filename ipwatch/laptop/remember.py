"""Passphrases, typed once."""

from collections.abc import Callable

from ipwatch.ports.remote import Prompt


class Remembering:
    """Passphrases typed once are good for every later login of this tunnel; all else is asked anew."""

    def __init__(self, ask: Callable[[Prompt], str | None], answers: dict[str, str]) -> None:
        self._ask = ask
        self._answers = answers
        self._given: set[str] = set()

    def __call__(self, prompt: Prompt) -> str | None:
        keep = "passphrase" in prompt.text.lower()
        if keep and prompt.text in self._answers and prompt.text not in self._given:
            self._given.add(prompt.text)  # asked again in the same login: it was wrong
            return self._answers[prompt.text]
        answer = self._ask(prompt)
        if keep and answer is not None:
            self._answers[prompt.text] = answer
        return answer
