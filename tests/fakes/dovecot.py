"""A real Dovecot of its own that does nothing but check logins for Postfix, over a Unix socket. Needs root."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def missing() -> str:
    """Why Dovecot can not be run here, or an empty text."""
    if os.geteuid() != 0:
        return "Dovecot needs root"
    program = shutil.which("dovecot", path=PATH)
    if program is None:
        return "not installed: dovecot"
    version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    # 2.4 knows another configuration language, and refuses this one.
    return "" if version.startswith("2.3.") else f"the configuration is for Dovecot 2.3, this is {version.strip()}"


class Dovecot:
    """Knows the passwords of `users`; `socket` is what Postfix calls smtpd_sasl_path."""

    def __init__(self, folder: Path, users: Mapping[str, str]) -> None:
        self._folder, self._users = folder, users
        self.socket = folder / "run" / "logins"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._write()
        command = [shutil.which("dovecot", path=PATH) or "dovecot", "-F", "-c", str(self._folder / "dovecot.conf")]
        self._process = subprocess.Popen(command, env={"PATH": PATH})
        try:
            self._wait(self._process)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()  # it takes its children along
            self._process.wait(15)

    def log(self) -> str:
        """What it logged."""
        path = self._folder / "log"
        return path.read_text() if path.exists() else ""

    def _wait(self, process: subprocess.Popen[bytes], within: float = 15) -> None:
        end = time.monotonic() + within
        while not self.socket.exists():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Dovecot did not start: {self.log()}")
            time.sleep(0.02)

    def _write(self) -> None:
        self._folder.mkdir()
        passwords = self._folder / "passwords"
        passwords.write_text("".join(f"{name}:{{PLAIN}}{password}\n" for name, password in self._users.items()))
        passwords.chmod(0o600)
        user = pwd.getpwnam("dovecot")
        os.chown(passwords, user.pw_uid, user.pw_gid)
        (self._folder / "dovecot.conf").write_text(self._conf(passwords))

    def _conf(self, passwords: Path) -> str:
        # Without the listener of anvil's penalties, a wrong password does not slow down the tests after it.
        return f"""
base_dir = {self._folder}/run
state_dir = {self._folder}/run
log_path = {self._folder}/log
protocols = none
ssl = no
auth_mechanisms = plain login
auth_failure_delay = 0 secs
passdb {{
  driver = passwd-file
  args = {passwords}
}}
service auth {{
  unix_listener {self.socket.name} {{
    mode = 0666
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""
