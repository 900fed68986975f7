"""ipwatch: a home's public address, watched, published, verified and announced."""

__version__ = "0.1.0"
