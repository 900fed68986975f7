"""ssh: the system's ssh to a host's current address."""

import argparse

from ipwatch.cli.laptop import with_world
from ipwatch.laptop import ssh as laptop_ssh


def ssh(arguments: argparse.Namespace) -> int:
    """Find the host, wake it if need be, and become ssh."""
    return with_world(arguments, lambda world: laptop_ssh.ssh(world, world.host(arguments.host), arguments.words))
