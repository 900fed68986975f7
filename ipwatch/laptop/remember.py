"""Passphrases, typed once; and questions that need not be answered."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait

from ipwatch.ports.remote import Prompt

_LOOK = 0.05  # seconds between two looks whether the answer is still wanted


class Remembering:
    """Passphrases typed once are good for every later login of this tunnel; all else is asked anew.

    cancel: set when no answer is wanted any more.
    """

    def __init__(self, ask: Callable[[Prompt], str | None], answers: dict[str, str], cancel: threading.Event) -> None:
        self._ask = ask
        self._answers = answers
        self._cancel = cancel
        self._given: set[str] = set()

    def __call__(self, prompt: Prompt) -> str | None:
        keep = "passphrase" in prompt.text.lower()
        if keep and prompt.text in self._answers and prompt.text not in self._given:
            self._given.add(prompt.text)  # asked again in the same login: it was wrong
            return self._answers[prompt.text]
        answer = answered(self._ask, prompt, self._cancel)
        if keep and answer is not None:
            self._answers[prompt.text] = answer
            self._given.add(prompt.text)
        return answer


def answered(ask: Callable[[Prompt], str | None], prompt: Prompt, cancel: threading.Event) -> str | None:
    """The answer; None as soon as it is not wanted any more.

    Asked in a thread of its own: one that reads from a terminal can not be ended, but need not be waited for.
    """
    answer: Future[str | None] = Future()

    def run() -> None:
        try:
            answer.set_result(ask(prompt))
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
            answer.set_exception(error)

    threading.Thread(target=run, name="question", daemon=True).start()
    while not wait([answer], _LOOK).done:
        if cancel.is_set():
            return None
    return answer.result()
