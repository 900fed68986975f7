"""Wake a host through its configured way (ways.py); watch it boot."""

from ipwatch.laptop.ways import way_of
from ipwatch.laptop.world import World
from ipwatch.settings.laptop_model import Host


def send_wake(world: World, host: Host) -> str:
    """Send the wake through the configured way; gives a clause for the status line ("magic packet sent through nas").
    Raises Trouble: CONFIGURATION, WAKE_FAILED, INTERRUPTED."""
    with way_of(world, host) as way:
        return way.send()
