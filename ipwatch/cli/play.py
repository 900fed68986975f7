"""demo: the bundled house."""

import argparse


def demo(arguments: argparse.Namespace) -> int:
    """Play the house's day."""
    from ipwatch.demo.play import play

    return play(keep=arguments.keep)
