"""`make money`: every suite about money at its full figures; the last line is one JSON object with what they counted."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-m",
            "money",
            "-n",
            os.environ.get("WORKERS", "2"),
            "--dist",
            "loadgroup",
        ]
        done = subprocess.run(
            [*command, *sys.argv[1:]],
            env=os.environ | {"PURSER_FULL": "1", "PURSER_FIGURES": str(file)},
            check=False,
        )
        figures = json.loads(file.read_text()) if file.exists() else {}
    minutes = round((time.monotonic() - started) / 60, 1)
    print(json.dumps({**figures, "minutes": minutes, "passed": done.returncode == 0}))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
