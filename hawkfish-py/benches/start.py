"""How long it takes until something can be done: the import, and a simulator that answers.

    python hawkfish-py/benches/start.py [ROUNDS]

Run it where a wheel of a release build is installed: `maturin build --release`. Each measurement is a fresh interpreter; what it takes by itself is measured in
between and taken off, and next to it stand modules of Python's own, as machines differ. Goals: import below 50 ms, `Simulator()` below 20 ms. Ends with 1
where a goal is missed by the least of all rounds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

# What is run, and what a goal is compared with: its own time in milliseconds, as it prints it.
TIMED = """
import time
begin = time.perf_counter()
{what}
print((time.perf_counter() - begin) * 1000)
"""
IMPORTS = {
    "import json": "import json",
    "import asyncio": "import asyncio",
    "import ssl": "import ssl",
    "import hawkfish": "import hawkfish",
}
READY = """
import hawkfish, time
begin = time.perf_counter()
simulator = hawkfish.Simulator({arguments})
print((time.perf_counter() - begin) * 1000)
simulator.client().root()
print((time.perf_counter() - begin) * 1000)
"""
GOALS = {"import hawkfish": 50.0, "Simulator()": 20.0}


def told(code: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


def main(rounds: int) -> int:
    found: dict[str, list[float]] = {}

    def note(name: str, milliseconds: float) -> None:
        found.setdefault(name, []).append(milliseconds)

    for _ in range(rounds):
        begin = time.perf_counter()
        told("pass")
        note("python -c pass", (time.perf_counter() - begin) * 1000)
        for name, what in IMPORTS.items():
            note(name, told(TIMED.format(what=what))[0])
        for arguments in ("", "systems=1000", "tls=True"):
            ready, answered = told(READY.format(arguments=arguments))
            note(f"Simulator({arguments})", ready)
            if not arguments:
                note("Simulator() and its first answer", answered)
    missed = 0
    bare = statistics.median(found["import asyncio"])
    print(f"{'':34}{'least':>9}{'median':>9}{'most':>9}   of import asyncio")
    for name, times in found.items():
        median = statistics.median(times)
        goal = GOALS.get(name)
        # Whatever else the machine does only adds to it: the least is what it takes.
        least = min(times)
        verdict = "" if goal is None else f"   goal {goal:.0f}: {'met' if least < goal else 'missed'}"
        missed += goal is not None and least >= goal
        print(f"{name:34}{min(times):>6.1f} ms{median:>6.1f} ms{max(times):>6.1f} ms{median / bare:>8.2f}{verdict}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
