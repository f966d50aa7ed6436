"""Checks a downloaded statement offline: Python's standard library, no network, no database.

    python verifier.py statement-S-2026-03-000418.json [the months before or after it ...]

It recomputes what the statement says of itself: that nothing in it was altered after it was issued, that it adds up to the
last digit, and, given several, that each continues the one before. Compare the hash it prints with the one on the portal's
page: whoever alters a file and its hash too cannot alter that one. The format is told in docs/statements.md.
"""

import hashlib
import itertools
import json
import re
import sys
from dataclasses import dataclass, field
from decimal import Decimal

FORMAT = "purser-statement-1"
PARTS = {"format", "body", "parties", "previous_hash", "ledger_head", "hash"}
SIGNS_OF_A_HASH = re.compile(r"[0-9a-f]{64}")
AMOUNT = re.compile(r"-?(0|[1-9][0-9]*)\.([0-9]{2}|[0-9]{2,11}[1-9])")


class Wrong(ValueError):
    """The file is not what it says. The message says what is wrong."""


@dataclass
class Checked:
    """What was found to be right, in words, and what the next month is compared with."""

    number: str
    organization: int
    period: str
    opening: Decimal
    closing: Decimal
    hash: str
    previous_hash: str
    words: "list[str]" = field(default_factory=list)


def canonical(value: object) -> str:
    """The one way to write it: keys in order, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def amount(text: object) -> Decimal:
    """An amount of USD as it stands in the body: 2 to 12 decimals, no trailing zero beyond cents."""
    if not isinstance(text, str) or not AMOUNT.fullmatch(text):
        raise Wrong(f"{text!r} is not written as an amount")
    return Decimal(text)


def read(text: str) -> "dict[str, object]":
    """The file's parts. Nothing may stand in it twice, and no number may be less than exact."""

    def once(pairs: "list[tuple[str, object]]") -> "dict[str, object]":
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Wrong("something stands in it twice")
        return found

    def inexact(number: str) -> object:
        raise Wrong(f"{number} is a number that is not whole")

    try:
        file = json.loads(text, object_pairs_hook=once, parse_float=inexact, parse_constant=inexact)
    except (json.JSONDecodeError, RecursionError):
        raise Wrong("it is not JSON") from None
    if not isinstance(file, dict) or set(file) != PARTS or file["format"] != FORMAT:
        raise Wrong(f"it is not a statement of the format {FORMAT}")
    for name in ("previous_hash", "ledger_head", "hash"):
        if not isinstance(file[name], str) or not SIGNS_OF_A_HASH.fullmatch(file[name]):
            raise Wrong(f"{name} is not a SHA-256 in hexadecimal")
    return file


def check(text: str) -> Checked:
    """Everything about one file; raises Wrong."""
    file = read(text)
    body = file["body"]
    if not isinstance(body, dict):
        raise Wrong("it has no body")
    words = canonical(body).encode("utf-8", "surrogatepass")
    links = bytes.fromhex(str(file["previous_hash"])) + bytes.fromhex(str(file["ledger_head"]))
    if hashlib.sha256(links + words).hexdigest() != file["hash"]:
        raise Wrong("the hash is not that of its words: something was altered")
    try:
        checked = _sums(body, str(file["hash"]), str(file["previous_hash"]))
    except (KeyError, TypeError, ArithmeticError):
        raise Wrong("the body lacks something, or has it in another form") from None
    checked.words.insert(0, "the hash is that of its words, the statement before and the ledger of its month")
    checked.words.append(_parties(file["parties"], body))
    return checked


def _sums(body: "dict[str, object]", hash_: str, previous: str) -> Checked:
    opening, closing = amount(body["opening"]), amount(body["closing"])
    walk: list[dict[str, object]] = body["walk"]  # type: ignore[assignment]
    moved = {str(line["kind"]): amount(line["amount"]) for line in walk}
    if len(moved) != len(walk):
        raise Wrong("a line stands in it twice")
    if opening + sum(moved.values()) != closing:
        raise Wrong("the opening balance and the lines do not add up to the closing balance")
    for line in walk:
        items: list[dict[str, object]] = line["items"]  # type: ignore[assignment]
        if items and sum(amount(item["amount"]) for item in items) != amount(line["amount"]):
            raise Wrong(f"what is listed under {line['kind']} does not add up")
    used = -(moved["usage"] + moved["taken_back"])
    tables: dict[str, list[dict[str, object]]] = body  # type: ignore[assignment]
    for table in ("models", "keys"):
        if sum((amount(row["amount"]) for row in tables[table]), Decimal(0)) != used:
            raise Wrong(f"usage by {table} does not add up to the usage of the month")
    checked = Checked(
        str(body["number"]), int(str(body["organization"])), str(body["period"]), opening, closing, hash_, previous
    )
    checked.words += [
        f"{len(walk)} lines lead from {opening} to {closing} USD, to the last digit",
        f"usage by model and by key is {used} USD, the same as in the balance",
    ]
    return checked


def _parties(parties: object, body: "dict[str, object]") -> str:
    if parties is None:
        return "names and addresses were erased; their seal stays"
    if not isinstance(parties, dict) or set(parties) != {"salt", "text"} or not isinstance(parties["salt"], str):
        raise Wrong("the names and addresses have another form")
    try:
        salt = bytes.fromhex(parties["salt"])
    except ValueError:
        raise Wrong("the salt is not hexadecimal") from None
    text = canonical(parties["text"]).encode("utf-8", "surrogatepass")
    if hashlib.sha256(salt + text).hexdigest() != body.get("parties"):
        raise Wrong("the names and addresses are not those it was issued with")
    return "names and addresses are those it was issued with"


def continues(before: Checked, after: Checked) -> None:
    """Of one organization, one month after another; raises Wrong."""
    if before.organization != after.organization:
        raise Wrong(f"{before.number} and {after.number} are of two organizations")
    if after.previous_hash != before.hash:
        raise Wrong(f"{after.number} does not continue {before.number}")
    if after.opening != before.closing:
        raise Wrong(f"{after.number} does not open where {before.number} closed")


def main(names: "list[str]") -> int:
    """Prints what was checked; 0 when all is right, 1 when something is not, 2 when it was called wrongly."""
    if not names:
        sys.stderr.write("Name one or more statements, as downloaded (JSON).\n")
        return 2
    found: list[Checked] = []
    try:
        found += [_told(name) for name in names]
        found.sort(key=lambda checked: checked.period)
        for before, after in itertools.pairwise(found):
            continues(before, after)
            sys.stdout.write(f"ok    {after.number} continues {before.number}\n")
    except Wrong as wrong:
        sys.stdout.write(f"WRONG {wrong}\n")
        return 1
    return 0


def _told(name: str) -> Checked:
    try:
        with open(name, encoding="utf-8") as file:
            checked = check(file.read())
    except (OSError, UnicodeDecodeError) as fault:
        raise Wrong(f"{name} cannot be read: {type(fault).__name__}") from None
    except Wrong as wrong:
        raise Wrong(f"{name}: {wrong}") from None
    sys.stdout.write(f"{checked.number}, {checked.period}\n")
    sys.stdout.write("".join(f"ok    {words}\n" for words in checked.words))
    sys.stdout.write(f"      hash {checked.hash}\n")
    return checked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
