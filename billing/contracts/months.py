"""A contract's calendar months: each begins on the first with its commitment due, and is closed with the books.

Row 27 when it begins, row 31 when it is closed. The first month makes the contract active only once it is paid, on its first
day; otherwise it lapses, its commitment is taken back, and the start moves on by a month (A57).
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from billing import periods
from billing.catalog.current import latest
from billing.contracts import overage, signing, terms
from billing.contracts.models import LIVE, RUNNING, Act, Contract, Ended, State
from billing.contracts.monthly import ContractDue, ContractMonth, Stage, What
from billing.contracts.terms import Pool
from billing.coverage.models import Coverage, Payer, PayerBase
from billing.ledger import accounts, posting
from billing.ledger.chart import Code
from billing.ledger.posting import Cause, Entry
from billing.money import from_cents, to_cents
from billing.notices.announcing import announce
from billing.notices.models import Kind

GRACE = timedelta(days=14)
"""How long an amount may be unpaid before requests are refused (A57)."""
FIRST_DAY = timedelta(days=1)
"""In which the first month must be paid."""

WAITING = """
SELECT c.id, c.org_id FROM contract c
WHERE c.state = ANY(%(live)s) AND c.starts_on <= %(today)s AND (
    c.ends_on <= %(today)s
    OR NOT EXISTS (SELECT FROM contract_month m WHERE m.contract_id = c.id AND m.period = %(month)s
        AND (m.begun_at IS NOT NULL OR m.amount_cents = 0))
    OR c.state = 'accepted' AND c.starts_on < %(today)s
    OR c.state = ANY(%(running)s) AND (c.state = 'past_due') IS DISTINCT FROM EXISTS (
        SELECT FROM contract_due d WHERE d.contract_id = c.id AND d.stage IN ('due', 'no_card', 'unpaid')
            AND d.closes_at <= %(now)s))
ORDER BY c.org_id, c.id
"""


def waiting(*, now: datetime) -> list[tuple[int, int]]:
    """(contract, organization) of those with something to begin, to end, to put off, or to call past due."""
    values: dict[str, Any] = {
        "live": [state.value for state in LIVE],
        "running": [state.value for state in RUNNING],
        "today": now.date(),
        "month": periods.month_of(now),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(WAITING, values)
        return list(cursor.fetchall())


def bring_forward(contract_id: int, *, now: datetime) -> None:
    """Whatever the calendar asks of one contract. Again, or late, it changes nothing more. The wallet is locked."""
    contract = signing.locked(contract_id)
    if contract.state == State.ACCEPTED:
        _start(contract, now)
    elif contract.state in RUNNING:
        _run(contract, now)


def begin(contract: Contract, period: date, *, now: datetime) -> ContractMonth:
    """The month with its commitment due, from its first instant on; before that, the month alone."""
    month = find(contract, period)
    start = periods.month_start(period)
    if month.begun_at is None and month.lapsed_at is None and start <= now and month.amount_cents:
        _post(contract, month, "commitment", "", now)
        month.begun_at = now
        month.save(update_fields=["begun_at"])
        if terms.chargeable(from_cents(month.amount_cents)):
            ContractDue.objects.create(
                contract=contract, month=month, wallet_id=contract.wallet_id, what=What.COMMITMENT,
                amount_cents=month.amount_cents, due_at=now, closes_at=start + GRACE, next_try_at=now,
            )  # fmt: skip
    return month


def find(contract: Contract, period: date) -> ContractMonth:
    """The row of this month, written when it is first needed; cut short where its last model is retired in it (A29)."""
    found = ContractMonth.objects.select_for_update(of=("self",)).filter(contract=contract, period=period).first()
    if found is not None:
        return found
    pool = terms.pool(contract.terms, period, retired_from=retired_from(contract))
    return ContractMonth.objects.create(
        contract=contract, wallet_id=contract.wallet_id, period=period, tokens=pool.tokens if pool else 0,
        amount_cents=to_cents(pool.amount) if pool else 0,
    )  # fmt: skip


def pool_of(month: ContractMonth, contract: Contract) -> Pool:
    return Pool(month.tokens, from_cents(month.amount_cents), contract.price_usd, contract.overage_usd)


def retired_from(contract: Contract) -> datetime | None:
    """The instant from which none of its models can be used; None: one of them has no end."""
    return latest().retired_from(signing.model_ids(contract))


# --- Beginning -----------------------------------------------------------------------------------------------------------


def _start(contract: Contract, now: datetime) -> None:
    """Its first month, on its first day. What is not paid when that day is over starts a month later."""
    while contract.state == State.ACCEPTED and periods.month_start(contract.starts_on) <= now:
        month = find(contract, contract.starts_on)
        if now < periods.month_start(contract.starts_on) + FIRST_DAY:
            if not month.amount_cents:
                signing.wrote(contract, Act.WITHDRAWN, by=None, reason="Its last model was retired before.", now=now)
                signing.give_up(contract, now=now)
            elif signing.taken(contract):
                _put_off(contract, month, now)
            else:
                begin(contract, contract.starts_on, now=now)
                return
        elif ContractDue.objects.filter(month=month, stage=Stage.CHARGING).exists():
            return  # What became of it is asked; nobody pays for what does not begin.
        else:
            _put_off(contract, month, now)


def _put_off(contract: Contract, month: ContractMonth, now: datetime) -> None:
    if month.begun_at is not None:
        _post(contract, month, "commitment_back", ":back", now)
    month.lapsed_at = now
    month.save(update_fields=["lapsed_at"])
    ContractDue.objects.filter(month=month).exclude(stage=Stage.PAID).update(stage=Stage.LAPSED, next_try_at=None)
    contract.starts_on = periods.next_month(contract.starts_on)
    contract.ends_on = terms.end_of_term(contract.starts_on)
    if signing.taken(contract):
        signing.wrote(contract, Act.WITHDRAWN, by=None, reason="Its models are covered otherwise.", now=now)
        contract.refresh_from_db(fields=["starts_on", "ends_on"])
        signing.give_up(contract, now=now)
        return
    contract.save(update_fields=["starts_on", "ends_on"])
    signing.reserve(contract)
    signing.wrote(contract, Act.PUT_OFF, by=None, reason=f"Its first month, {month}, was not paid.", now=now)
    told = signing.facts(contract, reason="put_off", retry_at=periods.month_start(contract.starts_on).isoformat())
    announce(contract.wallet_id, Kind.CONTRACT_FAILED, key=f"{contract.public_id}:{month}:put_off", facts=told, now=now)


def activate(contract: Contract, *, now: datetime) -> None:
    """Its first month is paid: from now on its models are covered, to the end of its term. Never back-dated."""
    contract.state, contract.active_from = State.ACTIVE, now
    contract.save(update_fields=["state", "active_from"])
    span: dict[str, Any] = {"payer": Payer.CONTRACT, "source_id": contract.pk, "valid_from": now}
    span["valid_to"] = periods.month_start(contract.ends_on)
    for model_id in sorted(signing.model_ids(contract)):
        Coverage.objects.create(wallet_id=contract.wallet_id, model_id=model_id, **span)
    PayerBase.objects.filter(wallet=contract.wallet_id).update(covered=True)
    announce(
        contract.wallet_id, Kind.CONTRACT_STARTED, key=str(contract.public_id), facts=signing.facts(contract), now=now
    )


# --- Running, and its end ------------------------------------------------------------------------------------------------


def _run(contract: Contract, now: datetime) -> None:
    last = contract.months.order_by("-period").values_list("period", flat=True)[0]
    retired = retired_from(contract)
    for period in _through(last, min(periods.month_of(now), periods.month_before(contract.ends_on))):
        month = begin(contract, period, now=now)
        if not month.amount_cents and retired is not None and retired <= now:
            end(contract, Ended.RETIRED, at=retired, now=now)
            return
    if periods.month_start(contract.ends_on) <= now:
        end(contract, Ended.TERM, at=periods.month_start(contract.ends_on), now=now)
        return
    late = is_closed(contract, now=now)
    if late != (contract.state == State.PAST_DUE):
        contract.state = State.PAST_DUE if late else State.ACTIVE
        contract.save(update_fields=["state"])


def is_closed(contract: Contract, *, now: datetime) -> bool:
    """Whether something of it is unpaid for longer than its grace. What is being charged is waited for."""
    unpaid = (Stage.DUE, Stage.NO_CARD, Stage.UNPAID)
    return contract.dues.filter(stage__in=unpaid, closes_at__lte=now).exists()


def end(contract: Contract, why: Ended, *, at: datetime, now: datetime) -> None:
    """Nothing of it is due any more but what is due already; its cover ends at `at`, or where it would have ended before."""
    contract.state, contract.over_at, contract.ended_as = State.ENDED, now, why
    contract.save(update_fields=["state", "over_at", "ended_as"])
    contract.covers.update(live=False)
    cover = Coverage.objects.filter(wallet=contract.wallet_id, payer=Payer.CONTRACT, source_id=contract.pk)
    cover.filter(valid_from__lt=at, valid_to__gt=at).update(valid_to=at)


def _through(first: date, last: date) -> Iterable[date]:
    period = first
    while period <= last:
        yield period
        period = periods.next_month(period)


# --- Closing -------------------------------------------------------------------------------------------------------------


def close(org_ids: Sequence[int], period: date, *, now: datetime) -> None:
    """With the books of this month: what is left of its commitment is income (row 31), and overage is due. So are those of
    earlier months that began too late for their own books. Their lines are posted, and the wallets locked."""
    months = ContractMonth.objects.select_related("contract").filter(
        wallet__in=org_ids, period__lte=period, begun_at__isnull=False, closed_at=None, lapsed_at=None
    )
    entries = []
    for month in months.order_by("wallet_id", "id"):
        if unused := pool_of(month, month.contract).unused(month.posted):
            entries.append(_unused(month, unused))
        month.closed_at = now
        month.save(update_fields=["closed_at"])
    posting.post(entries, now=now)
    overage.take_up(org_ids, at_least=Decimal("0.50"), now=now)


def _unused(month: ContractMonth, amount: Decimal) -> Entry:
    last_instant = periods.month_start(periods.next_month(month.period)) - timedelta(microseconds=1)
    deferred, name = accounts.of(month.wallet_id, Code.CONTRACT_DEFERRED), str(month.contract.public_id)
    return Entry(
        month.wallet_id, deferred, Code.REVENUE_CONTRACT_UNUSED, amount, "commitment_unused", f"ku:{name}:{month}",
        Cause("contract", name), last_instant,
    )  # fmt: skip


def _post(contract: Contract, month: ContractMonth, reason: str, suffix: str, now: datetime) -> None:
    """Row 27, and the same backwards for a month that was never paid and never was."""
    org_id = contract.wallet_id
    receivable, deferred = accounts.of(org_id, Code.CONTRACT_RECEIVABLE), accounts.of(org_id, Code.CONTRACT_DEFERRED)
    debit, credit = (deferred, receivable) if suffix else (receivable, deferred)
    entry = Entry(
        org_id, debit, credit, from_cents(month.amount_cents), reason,
        f"kc:{contract.public_id}:{month.period:%Y-%m}{suffix}", Cause("contract", str(contract.public_id)),
        now if suffix else periods.month_start(month.period),
    )  # fmt: skip
    posting.post([entry], now=now)
