"""What Jupyter says about its running servers: `jupyter server list --json` and the files it is made from.

One JSON object a server, one a line (jupyter_server 2, notebook 6 and 7: 2026-11). Notebook 6 writes notebook_dir where
the others write root_dir; `sock` is the path of a Unix socket, else "".
"""

from collections.abc import Mapping
from typing import Any

from ipwatch.core.app import Server


def server(info: Mapping[str, Any]) -> Server | None:
    """The server one object describes; None when it does not say where it is."""
    sock = _text(info, "sock")
    port, pid = info.get("port"), info.get("pid")
    if not isinstance(port, int) or (not sock and not 0 < port < 65536):
        return None
    return Server(
        pid=pid if isinstance(pid, int) else 0,
        host=_text(info, "hostname"),
        port=port,
        base=_text(info, "base_url") or "/",
        token=_text(info, "token"),
        root=_text(info, "root_dir") or _text(info, "notebook_dir"),
        secure=info.get("secure") is True,
        sock=sock,
    )


def _text(info: Mapping[str, Any], key: str) -> str:
    found = info.get(key)
    return found if isinstance(found, str) else ""
