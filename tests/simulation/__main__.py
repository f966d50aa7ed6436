"""`make simulate SEEDS=20 [FIRST_SEED=1]`: the last line is one JSON object with what the seeds came to."""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.simulation import keeping

HERE = "tests/simulation/test_simulation.py"
RESULTS, SEEDS = "PURSER_SIMULATION_RESULTS", "PURSER_SIMULATION_SEEDS"


def main() -> int:
    asked = argparse.ArgumentParser(prog="make simulate")
    asked.add_argument("--seeds", type=int, default=20)
    asked.add_argument("--first-seed", type=int, default=1)
    asked.add_argument("--without-plants", action="store_true", help="live through the seeds, and plant nothing")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        own = {"PURSER_FULL": "1", "PURSER_FIGURES": str(figures), RESULTS: folder}
        only = ["-k", "thirteen_months"] if given.without_plants else []
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                HERE,
                "-n",
                os.environ.get("WORKERS", "2"),
                "-q",
                "-o",
                "faulthandler_timeout=0",
                *only,
            ],
            env=os.environ | own | {SEEDS: f"{given.first_seed}:{given.seeds}"},
            check=False,
        )
        counted = json.loads(figures.read_text()).get("simulation", {}) if figures.exists() else {}
        results = [_read(Path(folder) / f"{given.first_seed + number}.json") for number in range(given.seeds)]
    lived = [result for result in results if result]
    for result in lived:
        if result["violations"]:
            keeping.keep(result["seed"])
            print(f"seed {result['seed']}: make simulate SEEDS=1 FIRST_SEED={result['seed']}")
    print(json.dumps(_sum(lived, counted)))
    return done.returncode or int(len(lived) < given.seeds)


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _sum(lived: list[dict[str, Any]], counted: dict[str, int]) -> dict[str, Any]:
    digests = "\n".join(result["digest"] for result in lived)
    return {
        "org_years": round(sum(result["org_years"] for result in lived), 1),
        "seeds": len(lived),
        "events": sum(result["events"] for result in lived),
        "faults": sum(result["faults"] for result in lived),
        "violations": sum(len(result["violations"]) for result in lived),
        "planted": counted.get("planted", 0),
        "caught": counted.get("caught", 0),
        "digest": hashlib.sha256(digests.encode()).hexdigest(),
    }


if __name__ == "__main__":
    sys.exit(main())
