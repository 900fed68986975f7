"""One file, one way to learn the public address; the file's name is the `kind`. Each offers a PLUGIN.

Handed ports only: a source never imports another, nor `net`. Files with a leading underscore are no kinds.
"""
