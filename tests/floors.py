"""Coverage floors: core and protocols fully, branches included; the whole at least 92 %. Run after the tests."""

import subprocess
import sys
from pathlib import Path

FLOORS = (("core and protocols", "ipwatch/core/*,ipwatch/protocols/*", 100), ("the whole", "ipwatch/*", 92))


def main() -> int:
    """Combine what the test run measured and hold it against the floors."""
    coverage = [sys.executable, "-m", "coverage"]
    if not list(Path().glob(".coverage*")):
        print("no coverage data: run `make test` first")
        return 1
    if list(Path().glob(".coverage.*")):
        subprocess.run([*coverage, "combine", "-q", "--append"], check=False)
    status = 0
    for title, files, floor in FLOORS:
        command = [*coverage, "report", f"--include={files}", f"--fail-under={floor}", "--precision=1"]
        total = subprocess.run([*command, "--format=total"], check=False, capture_output=True, text=True)
        print(f"coverage of {title}: {total.stdout.strip()} %, at least {floor} % wanted")
        if total.returncode:
            subprocess.run(command, check=False)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
