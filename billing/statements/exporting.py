"""Statements as files: JSON that can be verified, CSV for spreadsheets."""

import csv
import io
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from billing.statements import showing, verifier, writing
from billing.statements.models import Statement

HEADER = ("statement", "period", "section", "item", "detail", "at_utc", "requests", "tokens_in", "tokens_out", "usd")
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a text begins that a spreadsheet would take for a formula."""


def as_json(issued: Statement) -> str:
    """The hashed body, the names beside it and the hashes: what `verifier` checks."""
    before = Statement.objects.filter(wallet=issued.wallet_id, period__lt=issued.period).order_by("period").last()
    return verifier.canonical(
        {
            "format": verifier.FORMAT,
            "body": writing.read(issued.body),
            "parties": showing.parties(issued),
            "previous_hash": (bytes(before.hash) if before else writing.BEFORE_THE_FIRST).hex(),
            "ledger_head": bytes(issued.ledger_head).hex(),
            "hash": bytes(issued.hash).hex(),
        }
    )


def as_csv(issued: Statement) -> str:
    """One amount a line, exact. The lines of the section `balance` lead from the opening to the closing one."""
    shown = showing.statement(issued)
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n")
    write.writerow(HEADER)
    for row in _rows(shown):
        write.writerow([shown.name, f"{shown.period:%Y-%m}", *map(_plain, row[:-1]), writing.amount(row[-1])])
    return out.getvalue()


def program() -> str:
    """The program that checks the JSON: one file, for whoever has Python."""
    return Path(verifier.__file__).read_text(encoding="utf-8")


Row = tuple[str, str, str, str, object, object, object, Decimal]


def _rows(shown: showing.Shown) -> Iterable[Row]:
    since, until = writing.moment(shown.since), writing.moment(shown.until)
    yield "balance", "Opening balance", "", since, "", "", "", shown.opening
    for line in shown.walk:
        yield "balance", line.label, line.detail, "", "", "", "", line.amount
    yield "balance", "Closing balance", "", until, "", "", "", shown.closing
    for name, rows in (("usage by model", shown.models), ("usage by key", shown.keys)):
        for row in rows:
            yield name, row.name, row.payer, "", row.requests, row.tokens_in, row.tokens_out, row.amount
    for charge in shown.charges:
        yield "charged", charge.label, charge.card, writing.moment(charge.at), "", "", "", charge.amount


def _plain(value: object) -> object:
    """Names are people's: none of them becomes a formula."""
    if not isinstance(value, str):
        return value
    text = value.replace("\u00a0", " ")
    return f"'{text}" if text.startswith(RISKY) else text
