"""Makes `.venv` with everything in `requirements-dev.lock`, when it is not there yet: the first step of every `make`.

Runs on a bare Python and needs nothing else: uv where it is there or can be had (it is three times as fast), else pip. Both
check the lock's hashes. Where packages come from is the machine's own business: what pip is configured with (PIP_*
variables, pip.conf) holds for uv too.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "Purser needs Python 3.11 or newer; this is {}.{}. Try: make PYTHON=python3.12".format(*sys.version_info[:2])
    )

import configparser
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "purser-stamp"
LOCK = ROOT / "requirements-dev.lock"


def main() -> None:
    if _is_current():
        return
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make run` and `make test` may both be the first
        if not _is_current():
            _set_up()


def _is_current() -> bool:
    try:
        return PYTHON.exists() and STAMP.read_text() == _wanted()
    except FileNotFoundError:
        return False


def _wanted() -> str:
    """Changes with the lock, the Python and the place (a virtual environment cannot be moved)."""
    return f"{hashlib.sha256(LOCK.read_bytes()).hexdigest()} {sys.version.split()[0]} {ROOT}\n"


def _set_up() -> None:
    began = time.monotonic()
    STAMP.unlink(missing_ok=True)
    if VENV.exists() and not _works(PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"):
        shutil.rmtree(VENV)
    version = sys.version.split()[0]
    print(f"Setting up: .venv with Python {version} and the libraries of {LOCK.name} ...", flush=True)
    tool = "uv" if _with_uv() else "pip" if _with_pip() else ""
    if not tool:
        sys.exit("The libraries could not be installed (see above). Is the package index within reach?")
    STAMP.write_text(_wanted())
    print(f"Set up with {tool} in {time.monotonic() - began:.0f} s.", flush=True)


# --- uv ---------------------------------------------------------------------------------------------------------------


def _with_uv() -> bool:
    uv = _find_uv()
    if not uv:
        return False
    environment = _uv_environment()
    if not PYTHON.exists() and not _run([uv, "venv", "--quiet", "--python", sys.executable, VENV], environment):
        return False
    return _run([uv, "pip", "sync", "--quiet", "--python", PYTHON, "--require-hashes", LOCK], environment)


def _find_uv() -> str | None:
    on_path = shutil.which("uv")
    if on_path and _works(on_path, "--version"):
        return on_path
    own = LOCAL / "uv" / "bin" / "uv"
    if own.exists() and _works(own, "--version"):
        return str(own)
    _ensure_venv()
    # Not into .venv: that holds what the lock says and nothing else.
    fetched = _run([*_pip(), "install", "--quiet", "--no-input", "--target", own.parent.parent, "uv<1"], _environment())
    return str(own) if fetched and own.exists() else None


def _uv_environment() -> dict[str, str]:
    """uv does not read pip's configuration: it is told. What is said to uv itself (UV_*) wins."""
    environment = _environment()
    pip = _pip_configuration()
    said = {
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "UV_INDEX": " ".join(pip.get("extra-index-url", "").split()),
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "UV_NO_INDEX": "1" if pip.get("no-index", "").lower() in {"1", "true", "yes", "on"} else "",
        "UV_HTTP_TIMEOUT": pip.get("default-timeout", "") or pip.get("timeout", ""),
        "SSL_CERT_FILE": pip.get("cert", ""),
        "ALL_PROXY": pip.get("proxy", ""),
        # Like pip, take the version that fits from whichever index has it; the hashes say that it is the right one.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    if "UV_INDEX_URL" not in environment:
        said["UV_DEFAULT_INDEX"] = pip.get("index-url", "")
    if not os.access(environment.get("HOME", "/nonexistent"), os.W_OK):
        said["UV_CACHE_DIR"] = str(LOCAL / "cache" / "uv")
    return {name: value for name, value in said.items() if value} | environment


def _pip_configuration() -> dict[str, str]:
    """What pip would do here, read as pip reads it (it need not be installed): its files, then PIP_* (which win)."""
    files = configparser.RawConfigParser()
    if os.environ.get("PIP_CONFIG_FILE") != os.devnull:
        home = Path(os.environ.get("HOME", "/nonexistent"))
        folders = os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")
        own = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        files.read(
            [
                *(Path(folder) / "pip" / "pip.conf" for folder in reversed(folders)),
                "/etc/pip.conf",
                home / ".pip" / "pip.conf",
                own / "pip" / "pip.conf",
                Path(sys.prefix) / "pip.conf",
                os.environ.get("PIP_CONFIG_FILE", ""),
            ]
        )
    found: dict[str, str] = {}
    for section in ("global", "install"):
        found |= dict(files[section]) if files.has_section(section) else {}
    variables = {name[4:].lower(): value for name, value in os.environ.items() if name.startswith("PIP_")}
    return {name.replace("_", "-"): value.strip() for name, value in (found | variables).items()}


# --- pip --------------------------------------------------------------------------------------------------------------


def _with_pip() -> bool:
    print("Using pip, which takes a minute or two ...", flush=True)
    _ensure_venv()
    return _run([*_pip(), "install", "--quiet", "--no-input", "--require-hashes", "-r", LOCK], _environment())


def _pip() -> list[str | Path]:
    """The environment's own pip; a system's pip can also install into an environment that has none."""
    if _works(PYTHON, "-m", "pip", "--version"):
        return [PYTHON, "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", PYTHON]


def _ensure_venv() -> None:
    """A virtual environment that pip can install into. Debian ships Python without the part that puts pip in (ensurepip)."""
    system_pip = _works(sys.executable, "-m", "pip", "--version")
    if PYTHON.exists() and (system_pip or _works(PYTHON, "-m", "pip", "--version")):
        return
    if _works(sys.executable, "-c", "import ensurepip, venv") and _make_venv():
        return
    if system_pip and _make_venv("--without-pip"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing python3-venv, which this Python lacks ...", flush=True)
        quiet = _environment() | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "-y", "python3-venv"]):
            _run(list(command), quiet)
        if _make_venv():
            return
    sys.exit(
        "This Python cannot make a virtual environment with pip in it. Install that part "
        "(Debian, Ubuntu: apt-get install python3-venv), or install uv, and try again."
    )


def _make_venv(*options: str) -> bool:
    return _run([sys.executable, "-m", "venv", "--clear", *options, VENV], _environment())


# --- Running ----------------------------------------------------------------------------------------------------------


def _environment() -> dict[str, str]:
    """The surroundings, without another virtual environment that happens to be active."""
    left_out = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name not in left_out} | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }


def _run(command: list[str | Path], environment: dict[str, str]) -> bool:
    """Runs it, silent unless it fails."""
    answer = subprocess.run(
        command,
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if answer.returncode:
        print(f"  {Path(command[0]).name} failed:\n{answer.stdout.strip()[-3000:]}", flush=True)
    return answer.returncode == 0


def _works(*command: str | Path) -> bool:
    try:
        return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    main()
