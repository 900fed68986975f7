"""Import what the service imports, so that Python leaves the .pyc files of its own library: by every adapter, by the
commands, and by a round in the bundled house, since much is imported at its first use only."""

import contextlib
import importlib
import pkgutil
import tempfile
from pathlib import Path

import ipwatch
from ipwatch.cli import main
from ipwatch.demo.house import House

for module in pkgutil.walk_packages(ipwatch.__path__, "ipwatch."):
    if not module.name.startswith(("ipwatch.__main__", "ipwatch.cli.", "ipwatch.laptop.")):
        with contextlib.suppress(ModuleNotFoundError):  # the laptop's packages are not here
            importlib.import_module(module.name)
for command in ("work", "look", "manage", "waking"):
    importlib.import_module(f"ipwatch.cli.{command}")
with House(lag=0.1) as house, tempfile.TemporaryDirectory() as folder:
    config = Path(folder) / "ipwatch.toml"
    config.write_text(house.toml(Path(folder)))
    main(["once", "--config", str(config)])
