"""What an SSH server can turn out to be, for code that imports nothing heavy. ports/remote.py hands it on."""


class NotSsh(Exception):
    """What answers is no SSH server we can talk to; str() is a clause ("it speaks HTTP", "it says nothing")."""
