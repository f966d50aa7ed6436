"""Where tests find files that are not theirs."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def shared_data(name: str) -> Path | None:
    """A large input that lies in `../shared/data` beside the checkout; None where it does not. The test then uses the
    small file it makes itself."""
    file = ROOT.parent / "shared" / "data" / name
    return file if file.is_file() else None


def operator_variables() -> set[str]:
    """The names of all environment variables an operator may set: what `.env.example` shows."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return {found.group(1) for line in lines if (found := re.match(r"(?:# )?([A-Z][A-Z0-9_]+)=", line))}
