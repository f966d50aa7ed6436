"""The only writer of transfers: numbers them, chains their hashes, hands them to PostgreSQL, which verifies both.

A transfer moves one amount from a debit account to a credit account, so the books balance by construction. The trigger
`transfer_verified` refuses a gap, a wrong hash, another organization's account or a closed period, and alone moves
balances.
"""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db import connection

from billing import periods
from billing.ledger import accounts
from billing.ledger.models import Transfer, TransferNote
from billing.money import canonical

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GENESIS = bytes(32)
"""What the first transfer of a period is chained to."""

INSERT = """
INSERT INTO transfer (org_id, period, seq, debit_id, credit_id, amount, reason, key, cause_kind, cause_id,
                      effective_at, posted_at, hour, model_id, note_digest, hash)
SELECT * FROM unnest(%s::bigint[], %s::date[], %s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[], %s::text[],
                     %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
                     %s::smallint[], %s::bytea[], %s::bytea[])
RETURNING id, key
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """What a transfer follows from: the kind of thing and its id, e.g. Cause("intent", "0b9c...")."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement to be posted. `amount` > 0 in USD; `key` is unique for ever; `note` is free text kept outside the hash.

    `debit` and `credit` are account ids; a house account's id is its number in the chart.
    """

    org_id: int
    debit: int
    credit: int
    amount: Decimal
    reason: str
    key: str
    cause: Cause
    effective_at: datetime
    hour: datetime | None = None
    model_id: int | None = None
    note: str = ""


def post(entries: Sequence[Entry], *, now: datetime) -> None:
    """Post these movements in this order, all or none.

    The wallets are locked already. Raises IntegrityError when a key was posted before or the database refuses a row: look
    a key up with `is_posted` under the lock instead of catching that.
    """
    if not entries:
        return
    chains = _Chains(entries)
    codes = accounts.codes(account for entry in entries for account in (entry.debit, entry.credit))
    rows = []
    notes: dict[str, tuple[bytes, str]] = {}
    for entry in entries:
        digest = None
        if entry.note:
            salt = secrets.token_bytes(16)
            digest = hashlib.sha256(salt + entry.note.encode()).digest()
            notes[entry.key] = (salt, entry.note)
        period, seq, before = chains.next(entry)
        text = canonical_row(entry, period, seq, codes[entry.debit], codes[entry.credit], now, digest)
        head = hashlib.sha256(before + text.encode()).digest()
        chains.advance(entry.org_id, period, seq, head)
        rows.append(
            (entry.org_id, period, seq, entry.debit, entry.credit, entry.amount, entry.reason, entry.key,
             entry.cause.kind, entry.cause.id, entry.effective_at, now, entry.hour, entry.model_id, digest, head)
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [list(column) for column in zip(*rows, strict=True)])
        ids = {key: id_ for id_, key in cursor.fetchall()}
    TransferNote.objects.bulk_create(
        TransferNote(transfer_id=ids[key], salt=salt, text=text) for key, (salt, text) in notes.items()
    )


def is_posted(key: str) -> bool:
    return Transfer.objects.filter(key=key).exists()


def canonical_row(
    entry: Entry, period: date, seq: int, debit_code: int, credit_code: int, posted_at: datetime, note: bytes | None
) -> str:
    """The text a transfer is hashed by; the database builds the same one (`transfer_canonical`)."""
    return "|".join(
        (
            str(entry.org_id),
            f"{period:%Y-%m}",
            str(seq),
            f"{debit_code}:{entry.debit}",
            f"{credit_code}:{entry.credit}",
            canonical(entry.amount),
            entry.reason,
            entry.key,
            entry.cause.kind,
            entry.cause.id,
            str(_microseconds(entry.effective_at)),
            str(_microseconds(posted_at)),
            str(_microseconds(entry.hour)) if entry.hour else "",
            str(entry.model_id) if entry.model_id is not None else "",
            note.hex() if note else "",
        )
    )


def open_period(effective_at: datetime, last_closed: date | None) -> date:
    """The month a movement belongs to: that of its effect while it is open, afterwards the oldest open one (A8)."""
    own = periods.month_of(effective_at)
    return own if last_closed is None else max(own, periods.next_month(last_closed))


def last_closed(org_ids: Iterable[int]) -> dict[int, date]:
    """Organization -> its latest closed month; organizations without one are absent. Months close strictly in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT org_id, max(period) FROM ledger_period WHERE org_id = ANY(%s) AND closed_at IS NOT NULL GROUP BY org_id",
            [list(org_ids)],
        )
        return dict(cursor.fetchall())


class _Chains:
    """The heads of the chains these entries go to, moved along while they are numbered."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        orgs = sorted({entry.org_id for entry in entries})
        self._closed = last_closed(orgs)
        wanted = {(entry.org_id, self._period(entry)) for entry in entries}
        self._heads = dict.fromkeys(wanted, (0, GENESIS))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT org_id, period, seq, head FROM ledger_period WHERE org_id = ANY(%s) AND period = ANY(%s)",
                [orgs, sorted({period for _, period in wanted})],
            )
            for org_id, period, seq, head in cursor.fetchall():
                self._heads[org_id, period] = (seq, bytes(head))

    def _period(self, entry: Entry) -> date:
        return open_period(entry.effective_at, self._closed.get(entry.org_id))

    def next(self, entry: Entry) -> tuple[date, int, bytes]:
        period = self._period(entry)
        seq, head = self._heads[entry.org_id, period]
        return period, seq + 1, head

    def advance(self, org_id: int, period: date, seq: int, head: bytes) -> None:
        self._heads[org_id, period] = (seq, head)


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)
