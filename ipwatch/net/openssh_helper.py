"""What ssh starts: the dialler (its ProxyCommand) and the asker (its SSH_ASKPASS). A script of the standard library,
run by its path; it imports nothing of ipwatch's.

    openssh_helper.py dial SOCKET            receives the connected socket, hands it to ssh on standard output
    openssh_helper.py ask SOCKET PROMPT      hands the question on and prints the answer; exits 1 without one

The other side is net.openssh_desk.
"""

import os
import socket
import sys


def dial(desk: socket.socket, out: int) -> int:
    """Hand the connected socket on."""
    desk.sendall(b"dial\n")
    data, received, _, _ = socket.recv_fds(desk, 1, 1)
    if not data or not received:
        return 1
    with socket.socket(fileno=os.dup(out)) as ssh:
        socket.send_fds(ssh, [b"\0"], received)
    return 0


def ask(desk: socket.socket, out: int, prompt: str, hint: str) -> int:
    """Hand the question on and the answer back. hint: SSH_ASKPASS_PROMPT, "none" when there is nothing to answer."""
    word = "note" if hint == "none" else "ask"
    desk.sendall(f"{word}\n{prompt}".encode("utf-8", "surrogateescape"))
    desk.shutdown(socket.SHUT_WR)
    answer = b"".join(iter(lambda: desk.recv(4096), b""))
    if not answer.startswith(b"+"):
        return 1
    os.write(out, answer[1:] + b"\n")
    return 0


def main(words: "list[str]", out: int, hint: str) -> int:
    """Ask the desk."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as desk:
        desk.connect(words[1])
        return dial(desk, out) if words[0] == "dial" else ask(desk, out, words[2], hint)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], 1, os.environ.get("SSH_ASKPASS_PROMPT", "")))
