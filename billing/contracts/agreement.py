"""The words of a contract: what an owner reads, accepts and finds again. Pure. What was accepted is kept as it was, with its hash.

A change of the words is a new version here; contracts that were accepted keep theirs.
"""

import hashlib
from dataclasses import dataclass

from billing import wording
from billing.contracts.terms import MONTHS, Terms
from billing.money import from_cents

VERSION = "1"


@dataclass(frozen=True, slots=True)
class Parties:
    """Who agrees with whom about which models: names as they are shown."""

    seller: str
    customer: str
    models: tuple[str, ...]


def paragraphs(terms: Terms, parties: Parties) -> tuple[str, ...]:
    """The contract, a paragraph each."""
    models = _listed(parties.models)
    amount, tokens = wording.usd(terms.amount), f"{terms.tokens:,}"
    limit = wording.usd(terms.amount if terms.overage_limit_cents is None else from_cents(terms.overage_limit_cents))
    return (
        f"{parties.customer} reserves capacity with {parties.seller} for {models}: {tokens} tokens per calendar month (UTC). "
        f"Input and output tokens count, cached ones too; all models of this contract share the one amount.",
        f"It runs for {MONTHS} calendar months, from the first of a month at 00:00 UTC: planned is {wording.day(terms.starts_on)}, "
        f"and then it ends at {wording.day(terms.ends_on)}, 00:00 UTC. It starts once its first month is paid on that day; "
        f"otherwise it starts on the first of the month after, and ends as much later. It does not renew by itself.",
        f"Each month costs {amount} ({wording.price(terms.per_million)} per million tokens), charged to the default card at "
        f"the start of the month, used or not. Unused tokens end with their month; nothing is carried over or paid back.",
        f"Use beyond the month's tokens costs {wording.price(terms.overage_per_million)} per million tokens, worked out on the "
        f"total of the month. It is charged when the month is closed; more than $500.00 of it at once.",
        f"When a month's use beyond reaches {limit}, requests are refused (402) until the month ends or an owner raises that "
        f"limit. Requests that were under way then are charged.",
        "What is not paid stays owed. After 14 days requests are refused (402) until it is paid; the months go on.",
        f"The contract cannot be ended early, by either side, but for two reasons: {parties.seller} may end it when it is not "
        f"paid; and it ends when the last of its models is retired, in proportion to the days of that month.",
        "While it runs these models use no credit, and no plan can cover them. Promotional credit does not pay for it.",
    )


def text(terms: Terms, parties: Parties) -> str:
    """All of it, as it is kept and hashed: paragraphs with an empty line between them."""
    head = f"Reserved capacity, wording {VERSION}"
    return "\n\n".join((head, *paragraphs(terms, parties)))


def digest(words: str) -> bytes:
    """SHA-256 of the words as UTF-8."""
    return hashlib.sha256(words.encode()).digest()


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
