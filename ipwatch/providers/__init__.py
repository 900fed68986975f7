"""One file, one DNS service or one protocol with a table of servers; the file's name is the `kind`.

Each offers a PLUGIN and inherits tests/contracts/provider.py. Files with a leading underscore are no kinds.
"""
