"""Import what the service's commands and adapters need, so that Python leaves the .pyc files of its own library."""

import contextlib
import importlib
import pkgutil

import ipwatch

for module in pkgutil.walk_packages(ipwatch.__path__, "ipwatch."):
    if not module.name.startswith(("ipwatch.__main__", "ipwatch.cli.", "ipwatch.demo.", "ipwatch.laptop.")):
        with contextlib.suppress(ModuleNotFoundError):  # the laptop's packages are not here
            importlib.import_module(module.name)
for command in ("work", "look", "manage", "waking"):
    importlib.import_module(f"ipwatch.cli.{command}")
