"""After a loss of the line: whether the app is still there."""

import threading
from collections.abc import Callable, Sequence

from ipwatch.core import app
from ipwatch.core.app import Answer, Place, Recipe
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.apps.page import Opener, status
from ipwatch.laptop.say import Tone
from ipwatch.ports import Refused, Unreachable
from ipwatch.ports.remote import Link

PAUSES = (0.0, 1.0, 2.0)  # seconds before each question: a host that was restarted is up before its services are


class Watch:
    """Looks again each time the link is back. known: the link over which the app last answered. trouble: what was
    found, for whoever waits."""

    def __init__(self, recipe: Recipe, place: Place, host: str, say: Callable[[str, Tone], None],
                 log: Callable[[], Sequence[str]], known: Link | None) -> None:  # fmt: skip
        self._recipe, self._place, self._host, self._say, self._log = recipe, place, host, say, log
        self._known = known
        self.trouble: Trouble | None = None

    def back(self, link: Link) -> None:
        """The link is up."""
        if link is self._known:  # nothing was lost yet
            return
        for pause in PAUSES:
            threading.Event().wait(pause)
            try:
                self._look(link)
            except Unreachable:  # lost again: the next link is looked at
                return
            except Refused:
                continue
            return
        self._missing()

    def _look(self, link: Link) -> None:
        opener = Opener(link=link, target=self._place.target)
        if not self._recipe.pages:
            opener.connection().close()
            return
        seen = status(opener, self._place, self._recipe.pages[0])
        if app.judge(seen) is Answer.ELSEWHERE and self._place.token:
            text = f"{self._host}: {self._place.target} does not know our token any more ({seen}): another server?"
            self._say(text, Tone.WARN)

    def _missing(self) -> None:
        if not self._place.pid:
            self._say(f"{self._host}: {self._recipe.name} does not answer any more ({self._place.target})", Tone.WARN)
            return
        try:
            lines = app.last_words(self._log(), self._place.token) if self._place.ours else ()
        except (Trouble, Unreachable):
            lines = ()
        for line in lines:
            self._say(f"  | {line}", Tone.BAD)
        again = f"ipwatch open {self._host} {self._recipe.title}"
        self.trouble = Trouble(
            Kind.APP_FAILED,
            f"{self._recipe.title} on {self._host} has ended while the line was down; to start it again: {again}",
        )
