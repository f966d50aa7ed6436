"""The words of a document: canonical JSON, amounts as plain decimal text, and a seal over what may be erased."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.db import connection

from billing.ledger.posting import GENESIS
from billing.statements import verifier
from billing.statements.models import Series

BEFORE_THE_FIRST = GENESIS
"""What the first statement of an organization is chained to."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Text that may be erased, and the digest of it that stays for ever."""

    salt: bytes
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.salt + self.text.encode()).hexdigest()


def seal(parties: Mapping[str, object]) -> Sealed:
    return Sealed(secrets.token_bytes(16), verifier.canonical(parties))


def amount(usd: Decimal) -> str:
    """Exact, 2 to 12 decimals: "107.5469124", "0.00"."""
    whole, _, digits = f"{usd + 0:.12f}".partition(".")
    text = f"{whole}.{digits.rstrip('0'):0<2}"
    return text.removeprefix("-") if not usd else text


def moment(at: datetime) -> str:
    """In UTC, to the second: "2026-03-12T09:14:03Z"."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def hashed(before: bytes, head: bytes, body: str) -> bytes:
    """What a statement is known by: the one before, the ledger of its month, its words."""
    return hashlib.sha256(before + head + body.encode()).digest()


def next_number(series: Series) -> int:
    """The next number, given to nobody else: the counter stays locked until the transaction ends.

    Take it last. A transaction that ends without its document takes the number back too, so there is never a gap.
    """
    with connection.cursor() as cursor:
        cursor.execute("UPDATE document_counter SET last = last + 1 WHERE series = %s RETURNING last", [series.value])
        (number,) = cursor.fetchone()
        return int(number)


def read(body: str) -> dict[str, object]:
    """The words of a document again."""
    found = json.loads(body)
    assert isinstance(found, dict)
    return found
