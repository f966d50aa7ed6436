"""Reserved capacity: staff offer it, an owner accepts it on its page, and it is used, charged, paid late, and ends.

In the end everything is worked out again from the tokens that were sent, and held against the books and Stripe's.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from django.urls import reverse

from billing import flows
from billing.catalog.models import AIModel
from billing.contracts import signing
from billing.contracts.collecting import NothingToPay
from billing.contracts.ending import EndRefused
from billing.contracts.models import LIVE, Contract, State
from billing.contracts.terms import Terms
from billing.ledger.models import Transfer
from billing.notices.models import Kind, Notice
from billing.payments.models import Intent, Purpose
from tests.simulation import gateways
from tests.simulation.promises import COMMITMENT, OVERAGE_PER_MILLION, RESERVED, TOKENS, Span

if TYPE_CHECKING:
    from tests.simulation.parties import Party
    from tests.simulation.plans_kept import Money
    from tests.simulation.world import World

CLOCK = ("tasks.bring_contracts_forward", "tasks.collect_contracts")
COMES_BY = tuple(timedelta(hours=hours, minutes=1) for hours in (0, 1, 7, 19, 25))
"""After the first of a month: when a first month is tried, and when it is put off."""
SEEN = re.compile(r'name="seen" value="([0-9a-f]{64})"')
DAY = 86_400.0
CENT = Decimal("0.01")
SMALLEST = Decimal("0.50")
A_MILLION = Decimal(1_000_000)


def use(world: World, party: Party) -> None:
    """Requests to the model that contracts cover, whether one does or not."""
    look(world, party)
    gateways.use_of(world, party, RESERVED, world.chance.randint(1, 3))


# --- How it comes to be --------------------------------------------------------------------------------------------------


def offer(world: World, party: Party) -> None:
    """Staff offer one from the next month on, or the one after it, where there is none."""
    if party.left or _contracts(party, *LIVE, State.OFFERED):
        return
    first = _first_after(world.now)
    if world.chance.random() < 0.2:
        first = _first_after(datetime(first.year, first.month, first.day, tzinfo=UTC))
    terms = Terms(TOKENS, Decimal(COMMITMENT) / 100 / (TOKENS // 10**6), Decimal(OVERAGE_PER_MILLION), first)
    model = AIModel.objects.get(slug=RESERVED)
    wanted = signing.Draft(party.org_id, terms, {model.pk: signing.Rates(tokens_per_minute=10**6)}, "they asked for it")

    def press() -> None:
        draft = flows.draft_contract(wanted, by=party.owner.pk, now=world.now)
        flows.offer_contract(draft, by=party.owner.pk, now=world.now)

    try:
        world.trouble.attempt(press)
    except signing.SigningRefused as refused:
        world.fact(party, "contract refused", refused)
        return
    world.fact(party, "contract offered", first)
    world.later(3600, 2 * DAY, partial(accept, world, party))


def accept(world: World, party: Party) -> None:
    """An owner reads it and types a name; unanswered, once more."""
    offered = _contracts(party, State.OFFERED)
    if not offered or party.left:
        return
    page = {"slug": party.org.slug, "contract_id": offered[0].public_id}
    shown = world.signed_in(party).get(reverse("billing:contract", kwargs=page))
    seen = SEEN.search(shown.content.decode())
    if seen is None:
        return  # there is no card, or its start is past
    party.promises.ask(RESERVED, datetime(offered[0].starts_on.year, offered[0].starts_on.month, 1, tzinfo=UTC))
    form = {"seen": seen[1], "name": "An Owner"}

    def press() -> None:
        answer = world.signed_in(party).post(reverse("billing:contract_accept", kwargs=page), form)
        world.expect(answer.status_code in (200, 302), f"{party.name}: accepting was answered {answer.status_code}")

    if not world.trouble.attempt(press):
        world.later(30, 300, partial(accept, world, party))
    world.touched.add(party.org_id)
    for one in _contracts(party, State.ACCEPTED):
        world.fact(party, "contract accepted", one.starts_on)
        _awaited(world, party, one.starts_on)


def _awaited(world: World, party: Party, first: date) -> None:
    """The clock comes by on the first of that month, and again as long as a contract lives."""
    for after in COMES_BY:
        moment = datetime(first.year, first.month, 1, tzinfo=UTC) + after
        world.at(moment, partial(_clock, world, party, last=after == COMES_BY[-1]), by_itself=True)


def _clock(world: World, party: Party, *, last: bool) -> None:
    if world.now not in world.came_by:  # for all of them at once
        world.came_by.add(world.now)
        for name in world.trouble.order(list(CLOCK)):
            world.task(name)
    world.touched.add(party.org_id)
    look(world, party)
    if last and _contracts(party, *LIVE):
        _awaited(world, party, _first_after(world.now))


# --- What people do about it ---------------------------------------------------------------------------------------------


def pay(world: World, party: Party) -> None:
    """Pays what the card refused."""
    for one in _contracts(party, *LIVE):
        try:
            world.trouble.attempt(partial(flows.pay_contract, one, now=world.now))
            world.fact(party, "contract paid again")
        except NothingToPay:
            continue
    world.touched.add(party.org_id)


def end_unpaid(world: World, party: Party) -> None:
    """Two of the staff end one that is past due."""
    for one in _contracts(party, State.PAST_DUE):
        for staff in (party.owner, world.parties[world.parties.index(party) - 1].owner):
            try:
                end = partial(flows.end_unpaid_contract, one, by=staff.pk, reason="not paid", now=world.now)
                world.trouble.attempt(end)
            except EndRefused as refused:
                world.fact(party, "contract goes on", refused)
        world.fact(party, "contract ended by staff")
        _forget(party, world.now)
    world.touched.add(party.org_id)


def look(world: World, party: Party) -> None:
    """At its page: one that runs covers from now to the end of its term."""
    for one in _contracts(party, State.ACTIVE):
        until = datetime(one.ends_on.year, one.ends_on.month, 1, tzinfo=UTC)
        known = [span for span in party.promises.spans if span.model == RESERVED and span.until == until]
        if not known and world.now < until:
            party.promises.spans.append(Span(RESERVED, world.now, until))


def _forget(party: Party, now: datetime) -> None:
    """From now on nobody is certain that it covers."""
    party.promises.spans = [
        Span(span.model, span.since, min(span.until, now)) if span.model == RESERVED else span
        for span in party.promises.spans
        if span.model != RESERVED or span.since < now
    ]


def _contracts(party: Party, *states: State) -> list[Contract]:
    return list(Contract.objects.filter(wallet_id=party.org_id, state__in=states).order_by("pk"))


def _first_after(now: datetime) -> date:
    return date(now.year + (now.month == 12), now.month % 12 + 1, 1)


# --- In the end ----------------------------------------------------------------------------------------------------------


def kept(world: World, party: Party, money: Money, sums: dict[int, Decimal]) -> None:
    """Each month of its term was committed once and is used, unused or still deferred; overage is that of the month's total;
    what was charged is what is due, once; what is due and was not refused was charged; what was charged and is not due after
    all, since its use was taken back, is credit."""
    if RESERVED not in party.promises.asked:
        return
    begun = [one for one in Contract.objects.filter(wallet_id=party.org_id) if one.active_from is not None]
    months = [month for one in begun for month in _months(one, world.now)]
    committed = len(months) * COMMITMENT * CENT
    used = party.promises.by_month()
    world.expect(
        used.keys() <= set(months),
        f"{party.name}: used under a contract in {sorted(used)}, which ran in {months}",
    )
    overage = _overage(used)
    within = sum(min(used.get(month, 0), TOKENS) for month in months) * COMMITMENT * CENT / TOKENS
    name = f"{party.name}: contract"
    booked = -sums[4200] - sums[4210] - sums[2200]
    world.expect(booked == committed, f"{name}: committed {committed}, booked {booked}")
    world.expect(-sums[4200] == within, f"{name}: used {within} of it, booked {-sums[4200]}")
    world.expect(-sums[4220] == overage, f"{name}: overage is {overage}, booked {-sums[4220]}")
    returned, taken_back = overage_returned(party), party.promises.taken_back() * OVERAGE_PER_MILLION / A_MILLION
    world.expect(returned <= taken_back, f"{name}: {returned} went to credit, {taken_back} was taken back")
    owed = committed + overage + returned - money.contracts * CENT
    world.expect(sums[1120] == owed, f"{name}: owes {owed}, booked {sums[1120]}")
    world.expect(owed >= 0, f"{name}: {-owed} more was charged than was due")
    this_month = world.now.date().replace(day=1)
    before = party.promises.by_month(datetime(this_month.year, this_month.month, 1, tzinfo=UTC))
    unsettled = overage - _overage({month: tokens for month, tokens in before.items() if month < this_month})
    refused = Notice.objects.filter(wallet_id=party.org_id, kind=Kind.CONTRACT_FAILED).exists()
    world.expect(
        refused or owed - unsettled < SMALLEST, f"{name}: {owed} is owed, nothing was refused, and it is not charged"
    )
    _charged_once(world, party, money)
    _told(world, party, begun)
    world.events["contract month"] += len(months)


def overage_returned(party: Party) -> Decimal:
    """USD of overage that was paid, whose use was taken back: they are credit."""
    given = Transfer.objects.filter(wallet_id=party.org_id, reason="overage_returned")
    return sum(given.values_list("amount", flat=True), Decimal(0))


def _overage(used: dict[date, int]) -> Decimal:
    """USD, of each month's total."""
    return sum(max(0, tokens - TOKENS) for tokens in used.values()) * OVERAGE_PER_MILLION / A_MILLION


def _months(one: Contract, now: datetime) -> list[date]:
    """Those of its term that have begun, when it ended before its term those until then."""
    last = min(now.date(), one.over_at.date() if one.over_at else one.ends_on)
    month, found = one.starts_on, []
    while month <= last and month < one.ends_on:
        found.append(month)
        month = date(month.year + (month.month == 12), month.month % 12 + 1, 1)
    return found


def _charged_once(world: World, party: Party, money: Money) -> None:
    """Each amount that is due was charged once at most, by whichever try."""
    keys = Intent.objects.filter(wallet_id=party.org_id, purpose=Purpose.CONTRACT).values_list("pk", "key")
    paid = Counter(key.split(":")[1] for id_, key in keys if money.kept.get(id_))
    twice = {due: times for due, times in paid.items() if times > 1}
    world.expect(not twice, f"{party.name}: charged more than once for {twice}")


def _told(world: World, party: Party, begun: list[Contract]) -> None:
    letters = Notice.objects.filter(wallet_id=party.org_id)
    started = letters.filter(kind=Kind.CONTRACT_STARTED).count()
    world.expect(started == len(begun), f"{party.name}: {len(begun)} contracts began, {started} letters")
    over = sum(1 for one in begun if one.ended_as == "term")
    soon = letters.filter(kind=Kind.CONTRACT_ENDING).count()
    world.expect(soon >= over, f"{party.name}: {over} contracts are over, {soon} letters said so before")
