"""Seeds that failed once: kept in a file, one a line. What stands behind a # is for people."""

from pathlib import Path

KEPT = Path(__file__).with_name("kept_seeds.txt")


def kept() -> list[int]:
    lines = (line.split("#")[0].strip() for line in KEPT.read_text().splitlines())
    return [int(line) for line in lines if line]


def keep(seed: int) -> None:
    """Once, however often it fails."""
    if seed not in kept():
        KEPT.write_text(f"{KEPT.read_text().rstrip()}\n{seed}\n")
