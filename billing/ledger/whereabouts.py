"""Where the money of a payment is: what refunds and disputes can still take, and what each of them has taken.

Read from the books; nothing is written here but the open lines of usage that `left` posts first. A payment's grants are the
one it was credited to and those issued when money of it came back and found that one gone.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Q, Sum

from billing.ledger import accruals, debts, plan_fees, posting
from billing.ledger.chart import Code
from billing.ledger.models import Account, CreditGrant, Transfer
from billing.ledger.parting import Left, Part, Rest, Taken
from billing.ledger.posting import Cause
from billing.money import ZERO


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment and the beginnings of the keys under which its refunds and disputes post (`rf:{id}:`, `dp:{id}:`).

    `credited`: its money went to a grant, or (`of_plan`) paid a plan's fee; else it waits in unapplied receipts.
    """

    org_id: int
    intent_id: UUID
    prefixes: tuple[str, ...]
    credited: bool = True
    of_plan: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """One refund or dispute: the account its money passes through (2300 or 1000), and who bears what was spent."""

    prefix: str
    cause: Cause
    through: int
    spent: Part
    effective_at: datetime

    @property
    def of_dispute(self) -> bool:
        return self.cause.kind == "dispute"


# --- What there is -------------------------------------------------------------------------------------------------------


def grants_of(payment: Payment) -> list[Account]:
    """The payment's grants in the order of their end, whatever is left of them."""
    if not payment.credited:
        return []
    issued = CreditGrant.objects.filter(_under(payment.prefixes) | Q(payment_id=payment.intent_id))
    return list(Account.objects.filter(grant__in=issued, code=Code.CREDIT_PAID).order_by("expires_at", "id"))


def unspent(payment: Payment, *, now: datetime) -> Decimal:
    """What a customer can still use of it: what staff may refund, down to the cent."""
    usable = [grant for grant in grants_of(payment) if not grant.held and (grant.expires_at or now) > now]
    return sum((grant.rest for grant in usable), ZERO)


def left(payment: Payment, *, now: datetime) -> Left:
    """Everything that can be taken. Posts the open lines, so that what is left of a grant is its balance.

    All of the organization's: they are posted in the order in which they were drawn, which a reversal goes by (A33).
    """
    found = grants_of(payment)
    ids = [grant.pk for grant in found]
    if ids:
        accruals.close([payment.org_id], now=now)
    return Left(
        unapplied=ZERO if payment.credited else _unapplied(payment),
        rests=tuple(Rest(grant.pk, grant.balance) for grant in grants_of(payment)),
        unearned=unearned(payment),
        expired=_expired(payment, ids) if ids else ZERO,
    )


def unearned(payment: Payment) -> Decimal:
    """What of a plan's fee is not earned yet, in USD."""
    if not payment.of_plan:
        return ZERO
    return plan_fees.unearned(payment.org_id, payment.intent_id, payment.prefixes)


def _expired(payment: Payment, grant_ids: list[int]) -> Decimal:
    """What moved to breakage when the grants ended, less what was taken from there since."""
    expired = _sum(Q(key__in=[f"exp:{id_}" for id_ in grant_ids]))
    return expired + _net(payment, Code.BREAKAGE)


def _unapplied(payment: Payment) -> Decimal:
    received = Q(key=f"pay:{payment.intent_id}") | Q(key__startswith=f"pay:{payment.intent_id}:")
    placed = _sum(Q(key__startswith=f"unapp:{payment.intent_id}", debit=Code.UNAPPLIED))
    return _sum(received & Q(credit=Code.UNAPPLIED)) - placed + _net(payment, Code.UNAPPLIED)


def _net(payment: Payment, account_id: int) -> Decimal:
    """What the payment's refunds and disputes gave to this account, less what they took from it."""
    if not payment.prefixes:
        return ZERO
    ours = _under(payment.prefixes)
    return _sum(ours & Q(credit=account_id)) - _sum(ours & Q(debit=account_id))


def _under(prefixes: tuple[str, ...]) -> Q:
    return reduce(or_, (Q(key__startswith=prefix) for prefix in prefixes), Q(pk__in=[]))


def _sum(which: Q) -> Decimal:
    return Transfer.objects.filter(which).aggregate(sum=Sum("amount"))["sum"] or ZERO


# --- What an act has taken ------------------------------------------------------------------------------------------


def rows(payment: Payment, act: Act) -> list[Transfer]:
    """What the act took and gave back, oldest first, without the money's way on to Stripe and back."""
    passed = Q(key__in=[f"{act.prefix}done", f"{act.prefix}undone"])
    own = Transfer.objects.filter(wallet_id=payment.org_id, key__startswith=act.prefix).exclude(passed)
    return [
        row
        for row in own.select_related("debit", "credit").order_by("id")
        if act.through in (row.debit_id, row.credit_id)
    ]


def taken(payment: Payment, moved: list[Transfer], act: Act) -> Taken:
    """What this act has taken and not given back, from its own transfers."""
    net = dict.fromkeys(Part, ZERO)
    sources: dict[int, Decimal] = {}
    for row in moved:
        taking = row.credit_id == act.through
        account = row.debit if taking else row.credit
        amount = row.amount if taking else -row.amount
        part = _part(account.code, row.key)
        net[part] += amount
        if part == Part.UNSPENT:
            sources[account.pk] = sources.get(account.pk, ZERO) + amount
    # What was credit, and came back when its time was over, has gone to breakage for it.
    unspent_out = net[Part.UNSPENT] + min(net[Part.EXPIRED], ZERO)
    own = [debt for debt in debts.of(payment.org_id) if debt.cause == act.cause] if net[Part.DEBT] else []
    return Taken(
        debt=sum((debt.open for debt in own), ZERO),
        written_off=sum((debt.written_off for debt in own), ZERO) + net[Part.WRITTEN_OFF],
        paid=sum((debt.paid for debt in own), ZERO) + net[Part.CREDIT],
        goodwill=net[Part.SPENT],
        expired=max(net[Part.EXPIRED], ZERO),
        unearned=net[Part.UNEARNED],
        rests=_rests(sources, unspent_out),
        unapplied=net[Part.UNAPPLIED],
    )


def returned_before(grant_id: int, act: Act) -> list[tuple[datetime, datetime]]:
    """From when to when other refunds had credit of this grant that they gave back to it: it got that time back then."""
    others = Transfer.objects.filter(cause_kind="refund").exclude(key__startswith=act.prefix)
    back = dict(others.filter(credit=grant_id).values_list("cause_id", "posted_at"))
    taken = others.filter(debit=grant_id, cause_id__in=back).values_list("cause_id", "posted_at")
    return [(at, back[cause]) for cause, at in taken]


def _rests(sources: dict[int, Decimal], out: Decimal) -> tuple[Rest, ...]:
    """The grants it was taken from, the last one first. One that ended for good, or is full again, has no room."""
    rests: list[Rest] = []
    for grant in Account.objects.filter(pk__in=sources).order_by("-expires_at", "-id"):
        # A grant that was issued in place of another one has given nothing by itself: those before it are owed less.
        amount = min(max(sources[grant.pk], ZERO), out - sum((rest.amount for rest in rests), ZERO))
        gone = posting.is_posted(f"exp:{grant.pk}")
        if amount > 0:
            rests.append(Rest(grant.pk, amount, ZERO if gone else (grant.granted or ZERO) - grant.balance))
    return tuple(rests)


def _part(code: int, key: str) -> Part:
    if code == Code.CREDIT_PAID:
        return Part.CREDIT if f":{Part.CREDIT}" in key else Part.UNSPENT
    return {
        Code.UNAPPLIED: Part.UNAPPLIED,
        Code.PLAN_DEFERRED: Part.UNEARNED,
        Code.BREAKAGE: Part.EXPIRED,
        Code.GOODWILL: Part.SPENT,
        Code.CLAWBACK_DEBT: Part.DEBT,
        Code.BAD_DEBT: Part.WRITTEN_OFF,
    }[Code(code)]


def total(moved: list[Transfer], act: Act) -> Decimal:
    return sum((row.amount if row.credit_id == act.through else -row.amount for row in moved), ZERO)
