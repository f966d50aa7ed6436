"""What refunds and disputes take from a payment's credit and give back to it: rows 13 to 18 of the posting table, and rows
25 and 26 of a payment for a plan.

The wallet is locked and everything used is drawn before any of this. Which part an amount is taken from is decided in
`parting`, from what `whereabouts` reads in the books; here it is posted.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from billing import periods
from billing.ledger import accounts, grants, parting, posting, whereabouts
from billing.ledger.chart import Code
from billing.ledger.models import Account, GrantSource, Transfer
from billing.ledger.parting import Part, Share, Taken
from billing.ledger.posting import Cause, Entry
from billing.ledger.whereabouts import Act, Payment
from billing.money import cents_down

HELD = (Part.UNSPENT, Part.UNEARNED)
"""What is still the customer's: of a payment there is one or the other. What a refund takes beyond it was forced."""
REFUND_NAMES = {part: "hold" if part in HELD else f"forced:{part}" for part in Part}
TITLES = {Part.CREDIT: "Returned after a dispute", Part.UNSPENT: "Returned credit"}


def refund(org_id: int, refund_id: UUID, *, owed: bool, at: datetime) -> Act:
    """`owed`: the spent part becomes the customer's debt; else it is goodwill."""
    through = accounts.of(org_id, Code.REFUND_PENDING)
    spent = Part.DEBT if owed else Part.SPENT
    return Act(f"rf:{refund_id}:", Cause("refund", str(refund_id)), through, spent, at)


def dispute(dispute_id: str, *, at: datetime) -> Act:
    return Act(f"dp:{dispute_id}:", Cause("dispute", dispute_id), Code.STRIPE, Part.DEBT, at)


# --- Taking --------------------------------------------------------------------------------------------------------------


def take(payment: Payment, act: Act, amount: Decimal, *, now: datetime) -> list[Share]:
    """Post what a refund asks for or a dispute withdraws, in the order of `parting`; answers the parts.

    Of what is left a refund takes whole cents: the fraction stays in the grant (A17).
    """
    left = whereabouts.left(payment, now=now)
    if not act.of_dispute:
        left = replace(left, rests=tuple(replace(rest, amount=cents_down(rest.amount)) for rest in left.rests))
    shares = parting.take(amount, left, spent=act.spent)
    entries = _Entries(payment, act, _stage(act, "w"), "dispute_withdrawn" if act.of_dispute else "refund_asked")
    for share in shares:
        entries.add(_account(payment, share), act.through, share)
    posting.post(entries.listed, now=now)
    return shares


def _account(payment: Payment, share: Share) -> int:
    if share.account_id is not None:
        return share.account_id
    if share.part == Part.DEBT:
        return accounts.of(payment.org_id, Code.CLAWBACK_DEBT)
    if share.part == Part.UNEARNED:
        return accounts.of(payment.org_id, Code.PLAN_DEFERRED)
    return {
        Part.UNAPPLIED: Code.UNAPPLIED,
        Part.EXPIRED: Code.BREAKAGE,
        Part.SPENT: Code.GOODWILL,
        Part.WRITTEN_OFF: Code.BAD_DEBT,
    }[share.part]


def confirm(payment: Payment, act: Act, amount: Decimal, *, now: datetime) -> None:
    """Row 15: the refund arrived."""
    _pass(payment, act, (act.through, Code.STRIPE), amount, "done", now)


def undo(payment: Payment, act: Act, amount: Decimal, *, now: datetime) -> None:
    """Row 15 the other way: the bank sent a refund back that had arrived."""
    _pass(payment, act, (Code.STRIPE, act.through), amount, "undone", now)


def _pass(payment: Payment, act: Act, between: tuple[int, int], amount: Decimal, stage: str, now: datetime) -> None:
    entry = Entry(
        payment.org_id, *between, amount, f"refund_{stage}", f"{act.prefix}{stage}", act.cause, act.effective_at
    )  # fmt: skip
    posting.post([entry], now=now)


# --- Giving back -----------------------------------------------------------------------------------------------------------


def give_back(
    payment: Payment, act: Act, amount: Decimal | None, *, since: datetime, held: bool, now: datetime
) -> list[Share]:
    """Post what comes back, all of it (None) or this much, in the opposite order of taking; answers the parts.

    `since`: from when on the credit was away without being held by a dispute, so that a grant gets that time back.
    `held`: a dispute of the payment is open. What returns to credit pays the overdraft and debt unless it is held.
    """
    moved = whereabouts.rows(payment, act)
    taken = whereabouts.taken(payment, moved, act)
    amount = whereabouts.total(moved, act) if amount is None else amount
    entries = _Entries(payment, act, _stage(act, "r"), "dispute_reinstated" if act.of_dispute else "refund_returned")
    shares = parting.give_back(amount, taken)
    returned: list[tuple[int, Decimal]] = []
    homeless: list[Share] = []
    lost = _lost_time(taken, act, since, now) if taken.rests else None
    for share in shares:
        if share.account_id is not None:
            entries.add(act.through, share.account_id, share)
            returned.append((share.account_id, share.amount))
        elif share.part == Part.CREDIT or (share.part == Part.UNSPENT and lost):
            homeless.append(share)
        else:
            entries.add(act.through, _account(payment, _expired_too(share)), share)
    posting.post(entries.listed, now=now)
    for account_id, part in returned:
        _returned(account_id, part, act, since=since, now=now)
    for share in homeless:
        _issue(payment, act, share, entries, ends=_ends(share, lost, now), held=held, now=now)
    return shares


def _expired_too(share: Share) -> Share:
    """Credit whose time was over when it was taken is expired when it comes back."""
    return Share(Part.EXPIRED, share.amount) if share.part == Part.UNSPENT else share


def _ends(share: Share, lost: timedelta | None, now: datetime) -> datetime:
    if share.part == Part.CREDIT or lost is None:
        return periods.one_year_after(now)
    return now + lost


def _lost_time(taken: Taken, act: Act, since: datetime, now: datetime) -> timedelta | None:
    """The most time that the grants it was taken from had left when they lost it; None when it was over."""
    away = Account.objects.filter(pk__in=[rest.account_id for rest in taken.rests])
    lost = max(
        (grant.expires_at or since) - min(_away_since(grant, act, since, now), grant.held_since or since)
        for grant in away
    )
    return lost if lost > timedelta(0) else None


def _away_since(grant: Account, act: Act, since: datetime, now: datetime) -> datetime:
    """Later by the time that the grant got back already: two refunds may have had parts of it at the same time."""
    if act.of_dispute:
        return since
    return since + periods.overlap(since, grant.held_since or now, whereabouts.returned_before(grant.pk, act))


def _issue(
    payment: Payment, act: Act, share: Share, entries: "_Entries", *, ends: datetime, held: bool, now: datetime
) -> None:
    issue = grants.Issue(
        payment.org_id, share.amount, Code.CREDIT_PAID, act.through, entries.key(share), act.cause, entries.reason,
        act.effective_at,
    )  # fmt: skip
    source = GrantSource.DISPUTE if act.of_dispute else GrantSource.CORRECTION
    title = TITLES[share.part] if act.of_dispute else "Returned after a failed refund"
    grants.issue_returned(issue, source=source, title=title, expires_at=ends, held=held, now=now)


def _returned(account_id: int, amount: Decimal, act: Act, *, since: datetime, now: datetime) -> None:
    """A grant has credit again: it ends later by the time it was away, and pays what is owed."""
    grant = Account.objects.get(pk=account_id)
    _prolong(grant, (grant.held_since or now) - _away_since(grant, act, since, now))
    if not grant.held:
        _pay(grant, amount, now=now)


# --- Holding ---------------------------------------------------------------------------------------------------------------


def hold(payment: Payment, *, now: datetime) -> None:
    """A dispute is open: the payment's grants pay for nothing and do not end. Again changes nothing."""
    ids = [grant.pk for grant in whereabouts.grants_of(payment)]
    Account.objects.filter(pk__in=ids, held=False).update(held=True, held_since=now)


def release(payment: Payment, *, now: datetime) -> None:
    """The last dispute is closed: the grants end later by the time they were held, and pay what is owed."""
    for grant in whereabouts.grants_of(payment):
        if not grant.held:
            continue
        away = now - (grant.held_since or now)
        Account.objects.filter(pk=grant.pk).update(held=False, held_since=None)
        _prolong(grant, away)
        _pay(Account.objects.get(pk=grant.pk), grant.rest, now=now)


def _prolong(grant: Account, away: timedelta) -> None:
    if grant.expires_at is not None and away > timedelta(0):
        ends = periods.ceil_minute(grant.expires_at + away)
        Account.objects.filter(pk=grant.pk).update(expires_at=ends)
        grant.expires_at = ends


def _pay(grant: Account, amount: Decimal, *, now: datetime) -> None:
    if grant.expires_at is None or grant.expires_at <= now or not amount:
        return
    n = 1
    while posting.is_posted(f"od:{grant.pk}:{n}") or posting.is_posted(f"cd:{grant.pk}:{n}"):
        n += 1
    grants.pay_debts(grant, amount, suffix=f":{n}", now=now)


# --- Names -----------------------------------------------------------------------------------------------------------------


def _stage(act: Act, letter: str) -> str:
    """`w` and `r` of a dispute are numbered from the second withdrawal or reinstatement on: `w2`."""
    if not act.of_dispute:
        return "" if letter == "w" else "back:"
    keys = Transfer.objects.filter(key__startswith=f"{act.prefix}{letter}").values_list("key", flat=True)
    n = len({key.removeprefix(act.prefix).split(":")[0] for key in keys}) + 1
    return f"{letter}:" if n == 1 else f"{letter}{n}:"


class _Entries:
    """The transfers of one taking or giving back, each with its key."""

    def __init__(self, payment: Payment, act: Act, stage: str, reason: str) -> None:
        self.payment, self.act, self.stage, self.reason = payment, act, stage, reason
        self.listed: list[Entry] = []
        self._named: dict[str, int] = {}

    def add(self, debit: int, credit: int, share: Share) -> None:
        self.listed.append(
            Entry(
                self.payment.org_id, debit, credit, share.amount, self.reason, self.key(share), self.act.cause,
                self.act.effective_at,
            )
        )  # fmt: skip

    def key(self, share: Share) -> str:
        """One key for each part; a part that moves several accounts numbers them from the second on."""
        name = self._name(share.part)
        n = self._named[name] = self._named.get(name, 0) + 1
        return f"{self.act.prefix}{self.stage}{name}" + (f":{n}" if n > 1 else "")

    def _name(self, part: Part) -> str:
        if self.act.of_dispute:
            return "spent" if part == Part.DEBT and self.stage.startswith("w") else part
        if not self.stage:
            return REFUND_NAMES[part]
        return "hold" if part in HELD else part
