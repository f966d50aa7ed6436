"""What the operator says through the environment: one reader, with types.

Order: the process environment, then `.env` in the project's folder, then what `make run` has up (`.local/run.env`). A value
that cannot be read does not stop the start-up with a traceback: it is kept in `env.wrong`, and `portal/checks.py` says so.
"""

import os
import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL = Path(os.environ.get("PURSER_LOCAL", BASE_DIR / ".local"))
BOOLEANS = {"1", "0", "true", "false", "yes", "no", "y", "n", "on", "off", "ok", "t", "f", ""}
KINDS = {bool: "a yes or no (1 or 0)", Decimal: "an amount", float: "a number", int: "a whole number"}


class Reader(environ.Env):  # type: ignore[misc]  # the library has no types
    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def get_value(self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, **options: Any) -> Any:
        """The value, read as `cast`; the default where it is not said or cannot be read so."""
        said = os.environ.get(var)
        try:
            if cast is bool and said is not None and said.strip().lower() not in BOOLEANS:
                raise ValueError
            return super().get_value(var, cast=cast, default=default, **options)
        except (ArithmeticError, ImproperlyConfigured, ValueError):
            if said is None:
                raise
            self.wrong.append(f"{var}={said!r} is not {KINDS[cast]}." if cast in KINDS else f"{var} cannot be read.")
            return default

    def decimal(self, var: str, default: str) -> Decimal:
        return Decimal(self.get_value(var, cast=Decimal, default=Decimal(default)))


env = Reader()
# Tests say "none" (or "run", for what `make run` wrote and not `.env`): what happens to lie here is not theirs.
_wanted = os.environ.get("PURSER_ENV_FILES")
for _name, _file in (("env", BASE_DIR / ".env"), ("run", LOCAL / "run.env")):
    if _wanted in {None, _name} and _file.is_file():
        env.read_env(_file)


def local_secret() -> str:
    """This installation's own secret key, made when it is first needed and kept in `.local`: for development only."""
    file = LOCAL / "secret-key"
    try:
        LOCAL.mkdir(exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
            made.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return file.read_text()


def database(variable: str, default: str) -> dict[str, Any]:
    """A database's URL as Django wants it. Options after `?` are kept; `host=` may name the folder of a Unix socket."""
    config: dict[str, Any] = env.db_url(variable, default=default)
    options = config.setdefault("OPTIONS", {})
    config["HOST"] = options.pop("host", config.get("HOST", ""))
    # Compiling a look-up over hundreds of days of usage takes PostgreSQL seconds, running it milliseconds.
    options.setdefault("options", "-c jit=off")
    return config
