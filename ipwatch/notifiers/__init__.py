"""One file, one way to tell; the file's name is the `kind`. Each offers a PLUGIN.

Each inherits tests/contracts/notifier.py. Files with a leading underscore are no kinds.
"""
