"""What several commands share: settings, logging, and the way a fault is printed."""

import argparse
import json
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from ipwatch.ports import StoreFault
from ipwatch.settings.faults import SettingsFault
from ipwatch.settings.load import load
from ipwatch.settings.model import Settings


def settings(arguments: argparse.Namespace) -> Settings:
    """The configuration the command line names; raises SettingsFault."""
    path = getattr(arguments, "config", None)
    return load(Path(path) if path else None, os.environ, Path.cwd())


def complain(fault: SettingsFault | StoreFault) -> int:
    """Print every fault, one a line; gives the exit status: 2 for the configuration's, 1 for the state's."""
    for one in fault.faults if isinstance(fault, SettingsFault) else (fault,):
        print(f"ipwatch: {one}", file=sys.stderr)
    return 2 if isinstance(fault, SettingsFault) else 1


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """at, level, message, and error where there is one."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def start_log(arguments: argparse.Namespace) -> None:
    """Log to standard error as the command line wants it."""
    handler = logging.StreamHandler(sys.stderr)
    if getattr(arguments, "log_format", "text") == "json":
        handler.setFormatter(JsonLines())
    else:
        formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        handler.setFormatter(formatter)
    logger = logging.getLogger("ipwatch")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if getattr(arguments, "verbose", False) else logging.INFO)
