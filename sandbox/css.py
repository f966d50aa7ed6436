"""Builds the committed style sheet from `styles/` and `templates/`; `--check` only compares. Nothing else needs node."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sandbox.places import ROOT

BUILT = ROOT / "static" / "css" / "purser.css"
SOURCE = ROOT / "styles" / "purser.css"
LOCK = ROOT / "package-lock.json"
STAMP = ROOT / "node_modules" / ".purser-stamp"


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    problem = _tools()
    if problem:
        what = "was NOT compared with" if check else "was NOT built from"
        print(f"css: {BUILT.relative_to(ROOT)} {what} its sources: {problem}")
        return 0 if check and "EUSAGE" not in problem else 1  # a lock that does not fit is our own fault
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / BUILT.name
        tailwind = str(ROOT / "node_modules" / ".bin" / "tailwindcss")
        command = [tailwind, "--input", str(SOURCE), "--output", str(fresh), "--minify"]
        answer = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if answer.returncode:
            print(f"css: the build failed.\n{answer.stderr.strip()[-2000:]}")
            return 1
        if not check:
            BUILT.parent.mkdir(parents=True, exist_ok=True)
            BUILT.write_bytes(fresh.read_bytes())
            print(f"css: built {BUILT.relative_to(ROOT)} ({BUILT.stat().st_size // 1024} kB)")
            return 0
        if not BUILT.exists() or fresh.read_bytes() != BUILT.read_bytes():
            print(f"css: {BUILT.relative_to(ROOT)} is not what its sources make. Run `make css` and commit it.")
            return 1
    print(f"css: {BUILT.relative_to(ROOT)} is what its sources make")
    return 0


def _tools() -> str:
    """Fetches the style tools once; says why when it cannot."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        return "node is not on this machine"
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return ""
    print("css: fetching the style tools (npm ci) ...", flush=True)
    command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    answer = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if answer.returncode:
        return f"npm ci failed: {answer.stderr.strip()[:600]}"
    STAMP.write_text(wanted)
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
