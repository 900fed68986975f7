"""What ssh starts: the dialler (its ProxyCommand) and the asker (its SSH_ASKPASS). A script of the standard library,
run by its path; it imports nothing of ipwatch's.

    openssh_helper.py dial SOCKET            receives the connected socket, hands it to ssh on standard output
    openssh_helper.py ask SOCKET PROMPT      hands the question on and prints the answer; exits 1 without one

The other side is net.openssh_desk.
"""

import os
import socket
import sys


def main() -> int:
    """Ask the desk."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as desk:
        desk.connect(sys.argv[2])
        if sys.argv[1] == "dial":
            desk.sendall(b"dial\n")
            data, received, _, _ = socket.recv_fds(desk, 1, 1)
            if not data or not received:
                return 1
            with socket.socket(fileno=os.dup(1)) as out:
                socket.send_fds(out, [b"\0"], received)
            return 0
        word = "note" if os.environ.get("SSH_ASKPASS_PROMPT") == "none" else "ask"
        desk.sendall(f"{word}\n{sys.argv[3]}".encode("utf-8", "surrogateescape"))
        desk.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: desk.recv(4096), b""))
        if not answer.startswith(b"+"):
            return 1
        sys.stdout.buffer.write(answer[1:] + b"\n")
        return 0


if __name__ == "__main__":
    sys.exit(main())
