"""The story: away from home, the desktop asleep, the address changed, a stranger at the old one; one command, and a
notebook is open. Then the address changes again, under load.
"""

import threading
import time

import pytest

from tests.fakes.waiting import wait
from tests.lab.lab import FIRST, SECOND, THIRD, Lab
from tests.lab.shipped import Image
from tests.lab.table import note

pytestmark = [pytest.mark.real, pytest.mark.slow]


class Readers:
    """Load: several who read the notebook's page over and over. right, wrong: how many pages were whole or not."""

    def __init__(self, home: Lab, number: int = 6) -> None:
        self._home = home
        self._over = threading.Event()
        self.right, self.wrong, self.last = 0, 0, 0.0
        self._threads = [threading.Thread(target=self._read) for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        while not self._over.is_set():
            page = self._home.laptop.page(within=3)
            if "</html>" in page:
                self.right, self.last = self.right + 1, time.monotonic()
            elif page:
                self.wrong += 1
            self._over.wait(0.05)

    def end(self) -> None:
        """Stop them."""
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.timeout(900)  # where no base image is kept, one is made
@pytest.mark.parametrize("engine", ["paramiko", "openssh"])
def test_from_asleep_at_a_new_address_to_an_open_notebook(home: Lab, image: Image | str, engine: str) -> None:
    """The address changes while the desktop sleeps: the service publishes, verifies and mails; on the laptop one
    command locates, wakes through the NAS, proves, forwards, and Jupyter answers on localhost. It goes on answering
    there when the address changes again under load. The stranger at the old address learns no user name. With either
    engine."""
    if isinstance(image, Image):
        home.image = image
        home.configure()
    home.laptop.configure(engine=engine)
    by = "" if engine == "paramiko" else f", engine {engine}"
    print(f"lab: the service runs {'in its container' if home.image else f'from the checkout: {image}'}")
    home.desktop.work()
    service = home.power_on()
    home.published(FIRST)
    assert home.desktop.works()
    home.desktop.sleep()
    changed = time.monotonic()
    home.change_address(SECOND)
    home.published(SECOND)
    published = time.monotonic()
    home.mailed(f"changed from {FIRST} to {SECOND}")
    if not by:
        note("the ISP changes the address: service", "nothing", published - changed)
        note("the ISP changes the address: mail", "nothing", time.monotonic() - changed)
    assert home.status()["well"], service.text
    assert home.internet.provider.faults == []

    began = time.monotonic()
    with home.laptop.up() as up:
        page = home.laptop.shows()
        at = time.monotonic()
        print(up.text)
        note(f"asleep, moved, a stranger at the old address: one `ipwatch up` to the page{by}", "nothing", at - began,
             "the command")  # fmt: skip
        assert "</html>" in page
        assert not home.desktop.real or "JupyterLab" in page
        assert home.nas.wakes >= 1
        assert home.desktop.packets >= 1

        readers = Readers(home)
        try:
            assert wait(lambda: readers.right > 20)
            changed = time.monotonic()
            home.change_address(THIRD)
            assert wait(lambda: up.when("lost", changed) and readers.last > (up.when("up at", changed) or 1e9)), up.text
            first = readers.last
        finally:
            readers.end()
        note(f"the address changes again, six readers at work{by}", "what was in flight, reset at once",
             first - changed)  # fmt: skip
        print(up.text)
        assert readers.wrong == 0
        assert home.laptop.shows()
        home.published(THIRD)
    assert "healthy" in home.ask("health")
    home.mailed(f"changed from {SECOND} to {THIRD}")
    assert home.internet.provider.updates == [FIRST, SECOND, THIRD]
    assert service.end() == 0
    home.service = None
    assert home.stranger.visits() > 0
    assert home.stranger.was_told() == ""
