"""The hash chains, followed twice: by PostgreSQL, and here row by row with nothing but the format README.md documents.

Each row is hashed onto the hash stored before it, so that one broken row is one difference and not a thousand.
"""

import hashlib
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.db import connection

from billing.ledger.audit import Check, Difference, Scope, ours

CHECKS = (
    Check(
        "transfer_numbers",
        "the transfers of a month are numbered from 1 without a gap",
        f"""
        SELECT org_id, period, min(seq) AS first, max(seq) AS last, count(*) AS transfers FROM transfer
        WHERE {ours("org_id")} AND period >= %(month)s
        GROUP BY org_id, period HAVING min(seq) <> 1 OR max(seq) <> count(*)""",
    ),
    Check(
        "transfer_hash",
        "each transfer carries the hash of the one before and of itself",
        f"""
        SELECT t.org_id, t.period, t.seq, t.key
        FROM transfer t JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
        LEFT JOIN transfer p ON p.org_id = t.org_id AND p.period = t.period AND p.seq = t.seq - 1
        WHERE {ours("t.org_id")} AND t.period >= %(month)s AND t.hash IS DISTINCT FROM sha256(
            coalesce(p.hash, decode(%(genesis)s, 'hex')) || convert_to(transfer_canonical(
                t.org_id, t.period, t.seq, d.code, t.debit_id, c.code, t.credit_id, t.amount, t.reason, t.key, t.cause_kind,
                t.cause_id, t.effective_at, t.posted_at, t.hour, t.model_id, t.note_digest), 'UTF8'))""",
    ),
    Check(
        "period_head",
        "a month's head is its last transfer",
        f"""
        SELECT org_id, period, p.seq, l.seq AS last_seq,
            encode(p.head, 'hex') AS head, encode(l.hash, 'hex') AS last_hash
        FROM ledger_period p FULL JOIN (
            SELECT DISTINCT ON (org_id, period) org_id, period, seq, hash FROM transfer
            WHERE {ours("org_id")} AND period >= %(month)s ORDER BY org_id, period, seq DESC) l USING (org_id, period)
        WHERE {ours("org_id")} AND period >= %(month)s
            AND (p.seq, p.head) IS DISTINCT FROM (coalesce(l.seq, 0), coalesce(l.hash, decode(%(genesis)s, 'hex')))""",
    ),
    Check(
        "closed_month",
        "nothing is posted into a month after it was closed",
        f"""
        SELECT t.org_id, t.period, t.seq, t.key, t.posted_at, p.closed_at
        FROM ledger_period p JOIN transfer t ON t.org_id = p.org_id AND t.period = p.period AND t.posted_at > p.closed_at
        WHERE {ours("p.org_id")} AND p.period >= %(month)s""",
    ),
)

REHASH = "transfer_rehash"
"""The name of the check that `rehash` makes: the same promise as `transfer_hash`, kept by other means."""

ROWS = f"""
COPY (
    SELECT t.org_id, t.period, t.seq, d.code, t.debit_id, c.code, t.credit_id, t.amount::text, t.reason, t.key,
        t.cause_kind, t.cause_id, t.effective_at, t.posted_at, t.hour, t.model_id, t.note_digest, t.hash
    FROM transfer t LEFT JOIN account d ON d.id = t.debit_id LEFT JOIN account c ON c.id = t.credit_id
    WHERE {ours("t.org_id")} AND t.period >= %(month)s ORDER BY t.org_id, t.period, t.seq
) TO STDOUT (FORMAT BINARY)
"""
# A moment travels as microseconds since 2000 in eight bytes: read as the number it is, no calendar is involved.
MOMENT = "int8"
TYPES = (
    "int8", "date", "int8", "int2", "int8", "int2", "int8", "text", "text", "text", "text", "text", MOMENT, MOMENT, MOMENT,
    "int2", "bytea", "bytea",
)  # fmt: skip
FROM_1970_TO_2000 = 946_684_800_000_000


class Rehash:
    """Hashes every transfer once more. Iterate once: differences; afterwards `transfers` says how many were hashed."""

    def __init__(self, scope: Scope) -> None:
        self.transfers = 0
        self._scope = scope

    def __iter__(self) -> Iterator[Difference]:
        chain: tuple[int, date] | None = None
        before, month = bytes(32), ""
        for row in self._rows():
            org_id, period, seq, *rest, hash_ = row
            if (org_id, period) != chain:
                chain, before, month = (org_id, period), bytes(32), f"{period:%Y-%m}"
            self.transfers += 1
            if hashlib.sha256(before + _text(org_id, month, seq, *rest)).digest() != hash_:
                yield Difference(REHASH, org_id, {"period": period, "seq": seq, "key": rest[6]})
            before = hash_

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        with connection.cursor() as cursor, cursor.cursor.copy(ROWS, self._scope.values()) as copy:
            copy.set_types(TYPES)
            yield from copy.rows()


def _text(
    org_id: int, month: str, seq: int, debit_code: int, debit: int, credit_code: int, credit: int, amount: str, reason: str,
    key: str, cause_kind: str, cause_id: str, effective_at: int, posted_at: int, hour: int | None, model_id: int | None,
    note: bytes | None,
) -> bytes:  # fmt: skip
    """The row that is hashed, as README.md says; moments come in microseconds since 2000."""
    return (
        f"{org_id}|{month}|{seq}|{debit_code}:{debit}|{credit_code}:{credit}|{amount}|{reason}|{key}|{cause_kind}|{cause_id}"
        f"|{effective_at + FROM_1970_TO_2000}|{posted_at + FROM_1970_TO_2000}"
        f"|{'' if hour is None else hour + FROM_1970_TO_2000}|{'' if model_id is None else model_id}"
        f"|{note.hex() if note else ''}"
    ).encode()
