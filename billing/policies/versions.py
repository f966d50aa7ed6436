"""Which words were in force when. Versions are only ever added; what one said is kept as it was, in a file with its digest.

A new version: change the words (or the rule they tell of), run

    python manage.py shell -v 0 -c "from billing.policies import versions; print(versions.freeze(2))"

and add its line to VERSIONS, with the digest that prints and the day from which it holds. The tests hold the words to the
last line, and each line to its file.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from billing.policies import cancellation
from billing.policies.cancellation import Policy, Section, Table

FILES = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Version:
    """In force from `since` (00:00 UTC) until the next one is. `sha256` is that of its file."""

    number: int
    since: date
    sha256: str


VERSIONS: tuple[Version, ...] = (
    Version(1, date(2026, 11, 21), "541c17137f9a582dc44efb34e61c98b1a141ab4ace139387a3896dd7c8235443"),
)
"""The oldest first."""


def in_force(on: date) -> Version:
    """The newest that has come into force; before the first one, the first."""
    return next((version for version in reversed(VERSIONS) if version.since <= on), VERSIONS[0])


def coming(on: date) -> Version | None:
    """The next one that is published and not in force yet."""
    return next((version for version in VERSIONS[1:] if version.since > on), None)


def numbered(number: int) -> Version | None:
    return next((version for version in VERSIONS if version.number == number), None)


def words(version: Version) -> Policy:
    """What it says: of the newest as the rules make it, of an earlier one as it was kept."""
    return cancellation.policy() if version == VERSIONS[-1] else kept(version.number)


@cache
def kept(number: int) -> Policy:
    """A version as its file has it."""
    said = json.loads(_file(number).read_text(encoding="utf-8"))
    return Policy(said["lead"], tuple(_section(section) for section in said["sections"]))


def told(policy: Policy) -> str:
    """A policy as it is kept and hashed."""
    return json.dumps(asdict(policy), ensure_ascii=False, indent=1) + "\n"


def digest(text: str) -> str:
    """SHA-256 of UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def kept_digest(number: int) -> str:
    return digest(_file(number).read_text(encoding="utf-8"))


def freeze(number: int) -> str:
    """Writes the words as they are now to the file of a new version, never over one that is there; its digest."""
    text = told(cancellation.policy())
    with _file(number).open("x", encoding="utf-8") as file:
        file.write(text)
    return digest(text)


def _file(number: int) -> Path:
    return FILES / f"cancellation-{number}.json"


def _section(said: dict[str, Any]) -> Section:
    table = said["table"]
    return Section(
        said["id"],
        said["heading"],
        tuple(said["paragraphs"]),
        tuple(said["steps"]),
        Table(tuple(table["heads"]), tuple(tuple(row) for row in table["rows"])) if table else None,
    )
