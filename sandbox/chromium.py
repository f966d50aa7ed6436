"""A Chromium for the browser tests: the one at hand, else one installed here and now.

`python -m sandbox.chromium` (part of `make test`) makes sure there is one, and fails with what to do when there cannot be.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sandbox import places

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
HOW = (
    "The browser tests need a Chromium, and there is none.\n"
    "  - install it from your system's packages (Debian, as root: apt-get install chromium), or\n"
    "  - let Playwright download one: .venv/bin/python -m playwright install --with-deps chromium, or\n"
    "  - name one: make test CHROMIUM=/path/to/chrome"
)


class NoChromium(Exception):
    """No browser; the message says how to get one."""


def find() -> Path:
    """The program to drive: CHROMIUM from the environment, the system's, or Playwright's. Raises NoChromium."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        if not os.access(chosen, os.X_OK):
            raise NoChromium(f"CHROMIUM={chosen} is not a program.")
        return Path(chosen)
    for candidate in _candidates():
        if os.access(candidate, os.X_OK):
            return candidate
    raise NoChromium(HOW)


def ensure() -> Path:
    """The same, installed first where need be and possible, and seen to start. Raises NoChromium."""
    try:
        program = find()
    except NoChromium:
        if os.environ.get("CHROMIUM"):
            raise
        print("Chromium: none found, installing one for the browser tests ...", flush=True)
        program = _install()
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise NoChromium(f"{program} does not start: {problem}\n{HOW}") from problem
    if answer.returncode:
        raise NoChromium(f"{program} does not start:\n{answer.stderr.strip()[-1500:]}\n{HOW}")
    return program


def launch_arguments() -> list[str]:
    """For one browser under test: no vendor's services, and no sandbox of its own as root (it refuses one)."""
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-gpu",
        "--disable-quic",
        "--disable-sync",
        "--no-first-run",
    ]
    return [*quiet, "--no-sandbox"] if os.geteuid() == 0 else quiet


def _candidates() -> Iterator[Path]:
    for name in NAMES:
        found = shutil.which(name)
        if found:
            yield Path(found)
    yield from map(Path, APPLICATIONS)
    for pattern in ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"):
        yield from sorted(_playwright_folder().glob(pattern), reverse=True)


def _playwright_folder() -> Path:
    """Where Playwright puts its browsers; in the checkout when there is no home to write to."""
    chosen = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    if chosen and chosen != "0":
        return Path(chosen)
    home = Path(os.environ.get("HOME", "/nonexistent"))
    if not os.access(home, os.W_OK):
        return places.LOCAL / "browsers"
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "ms-playwright"


def _install() -> Path:
    tried: list[str] = []
    for attempt in (_install_package, _install_playwrights):
        problem = attempt()
        try:
            return find()
        except NoChromium:
            tried.append(problem or "installed, but not found")
    raise NoChromium("\n".join([HOW, "What was tried:", *tried]))


def _install_package() -> str:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return "  apt-get: only as root on Debian or Ubuntu"
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]):
        answer = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if answer.returncode:
            return f"  {' '.join(command)}: {answer.stderr.strip()[-600:]}"
    return ""


def _install_playwrights() -> str:
    environment = os.environ | {"PLAYWRIGHT_BROWSERS_PATH": str(_playwright_folder())}
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    answer = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return (
        f"  playwright install chromium: {(answer.stderr or answer.stdout).strip()[-600:]}" if answer.returncode else ""
    )


if __name__ == "__main__":
    try:
        print(f"Chromium for the browser tests: {ensure()}")
    except NoChromium as problem:
        sys.exit(f"{problem}")
