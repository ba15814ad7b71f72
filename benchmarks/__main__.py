"""Run the benchmarks: ``python -m benchmarks [name ...]``."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from importlib import import_module
from typing import Final

from benchmarks import report
from benchmarks.report import Figure

NAMES: Final = (
    "retag",
    "quota",
    "selection",
    "imports",
    "parsing",
    "triggerer",
    "manifest",
    "emulator",
    "releases",
    "copying",
)


def main() -> int:
    """Print one table; the exit status tells whether everything ran, not whether an aim holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks.")
    parser.add_argument("name", nargs="*", help=f"which of {', '.join(NAMES)} to run; by default all")
    names = parser.parse_args().name or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    started = time.monotonic()
    print(report.head(), flush=True)
    results = {name: _run(name) for name in names}
    aims = [figure.verdict for figures in results.values() for figure in figures or () if figure.verdict]
    print(f"{aims.count('holds')} of {len(aims)} aims hold; took {time.monotonic() - started:.0f} s")
    return int(None in results.values())


def _run(name: str) -> list[Figure] | None:
    """Run one and print its lines of the table."""
    try:
        figures: list[Figure] = import_module(f"benchmarks.{name}").measure()
    except Exception:  # noqa: BLE001 - one that cannot run does not keep the others from it
        traceback.print_exc()
        print(f"{name:<10} could not run", flush=True)
        return None
    for figure in figures:
        print(report.line(name, figure), flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())
