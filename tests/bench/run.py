"""`make bench`: the program's own figures, measured at the real service in the bundled house.

    python tests/bench/run.py [PART...]        parts: startup reaction steady wrong fatal scale tunnel recover

Prints a table and one line `JSON {...}`, which also goes to bench-results/bench.json. Nothing is asserted: a budget
(DESIGN section 9) is met or missed, and what could not be measured says why. Everything waits with a limit; the whole
run ends within seven minutes. Times are of this machine and moment; ratios and counts are not.
"""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("startup", "reaction", "steady", "wrong", "fatal", "scale", "tunnel", "recover")


def main(words: Sequence[str]) -> int:
    """Measure the parts named, or all."""
    if unknown := set(words) - set(PARTS):
        print(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    sys.path[0] = str(ROOT)
    from ipwatch import __version__
    from ipwatch.demo.service import interruptible
    from ipwatch.ports import StoreFault
    from tests.bench.figures import Figure, NotMeasured, as_json, table

    start, figures = time.monotonic(), list[Figure]()
    with interruptible():
        for part in [p for p in PARTS if not words or p in words]:
            print(f"measuring {part} ...", file=sys.stderr, flush=True)
            try:
                for figure in import_module(f"tests.bench.{part}").measure():
                    figures.append(figure)
            except (NotMeasured, OSError, StoreFault, subprocess.SubprocessError) as error:
                figures.append(Figure(f"{part}: the rest", None, why=str(error)))
    facts: dict[str, str | float] = {
        "ipwatch": __version__,
        "python": platform.python_version(),
        "processors": len(os.sched_getaffinity(0)),
        "seconds": round(time.monotonic() - start, 1),
    }
    line = as_json(figures, facts)
    print(table(figures))
    print(f"JSON {line}")
    results = ROOT / "bench-results"
    results.mkdir(exist_ok=True)
    (results / "bench.json").write_text(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
