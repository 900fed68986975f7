"""A connected socket is handed to the ssh that asked for it (ProxyUseFdpass), by SCM_RIGHTS. Standard library only.

ssh starts the ProxyCommand with one end of a pair of Unix sockets as its standard input and output and waits for a
message of one byte with the descriptor (OpenSSH 9.2: sshconnect.c, ssh_proxy_fdpass_connect; monitor_fdpass.c,
mm_receive_fd). The proxy then ends, and ssh talks to the server by itself, at full speed.
"""

import os
import socket
import stat


def takes_sockets(descriptor: int) -> bool:
    """Whether it is a Unix socket: ssh was told to expect a descriptor there. Otherwise it wants the bytes."""
    if not hasattr(socket, "AF_UNIX"):
        return False
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        with socket.socket(fileno=os.dup(descriptor)) as channel:
            return channel.family == socket.AF_UNIX
    except OSError:
        return False


def pass_socket(sock: socket.socket, descriptor: int) -> None:
    """Hand the socket over and close it here; raises OSError when nobody takes it."""
    sock.setblocking(True)  # the mode belongs to the open socket, not to our number for it
    with sock, socket.socket(fileno=os.dup(descriptor)) as channel:
        socket.send_fds(channel, [b"\0"], [sock.fileno()])
