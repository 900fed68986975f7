"""The suite's own strength: every deliberate fault of mutants.toml must be found by the tests it names.

    python tests/mutants/run.py [PART-OF-A-NAME ...]

The package is copied to a temporary directory, which stands first on the tests' path; the checkout is not touched.
Exit status 1 if a fault survives, its text is no longer found once, or the tests fail without any fault.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("mutants.toml")
WITHIN = 60.0  # seconds for one run of pytest; a fault that makes the tests hang is found as well
_PASSED, _FAILED = 0, 1  # pytest's exit statuses: all passed, some failed; anything else is no verdict


def main(parts: list[str]) -> int:
    """Run the faults whose name holds one of the parts (none: all), print the table, give the exit status."""
    mutants = [
        m for m in tomllib.loads(LIST.read_text("utf-8"))["mutant"] if not parts or any(p in m["name"] for p in parts)
    ]
    began, verdicts = time.monotonic(), list[str]()
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        place = Path(name)
        sound: dict[str, str] = {}
        for mutant in mutants:
            start = time.monotonic()
            key = str((mutant["tests"], mutant.get("only")))
            if key not in sound:
                sound[key] = "" if _tests(place, mutant, "") == _PASSED else "unclear: its tests fail without it"
            verdicts.append(sound[key] or _verdict(place, mutant))
            print(
                f"{verdicts[-1]:<36} {time.monotonic() - start:5.1f} s  {mutant['file']:<24} {mutant['name']}",
                flush=True,
            )
    killed = verdicts.count("killed")
    print(f"{killed} of {len(verdicts)} killed in {time.monotonic() - began:.0f} s")
    return 0 if verdicts and killed == len(verdicts) else 1


def _verdict(place: Path, mutant: Mapping[str, Any]) -> str:
    source = (ROOT / "ipwatch" / mutant["file"]).read_text("utf-8")
    found = source.count(mutant["old"])
    if found != 1:
        return f"lost: its text is found {found} times"
    status = _tests(place, mutant, source.replace(mutant["old"], mutant["new"]))
    return {_PASSED: "SURVIVED", _FAILED: "killed"}.get(status, f"unclear: pytest gave {status}")


def _tests(place: Path, mutant: Mapping[str, Any], text: str) -> int:
    """The exit status of the tests against a copy of the package, with the file replaced unless the text is empty."""
    package = place / "ipwatch"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(ROOT / "ipwatch", package, ignore=shutil.ignore_patterns("__pycache__"))
    if text:
        (package / mutant["file"]).write_text(text, "utf-8")
    only = ["-k", mutant["only"]] if "only" in mutant else []
    # pytest puts the configured `pythonpath` before PYTHONPATH: both must name the copy.
    options = ["-q", "-x", "-p", "no:cacheprovider", "-o", f"pythonpath={place} {ROOT}"]
    command = [sys.executable, "-B", "-m", "pytest", *options, *only, *mutant["tests"]]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(place), str(ROOT))),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(place / "hypothesis"),
    }
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, timeout=WITHIN, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return _FAILED
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
