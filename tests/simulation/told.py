"""What people were told, held against what happened: statements checked offline, and one letter for each charge."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from django.core import mail
from django.db.models import Q

from billing.notices import sending
from billing.notices.models import Kind, Mail, Notice
from billing.payments.models import Intent, Purpose, State
from billing.settlement.models import Settlement
from billing.statements import exporting, issuing, verifier
from billing.statements.models import Statement

if TYPE_CHECKING:
    from tests.simulation.parties import Party
    from tests.simulation.world import World

CHARGED = (Kind.RECEIPT, Kind.RECHARGE_MADE)
"""Letters that say that a card was charged."""


def statements(world: World, party: Party) -> None:
    """Each closed month in which something moved has its statement; the files alone say that each is right and follows the
    one before."""
    issued = list(Statement.objects.filter(wallet_id=party.org_id).order_by("period"))
    closed = set(Settlement.objects.filter(wallet_id=party.org_id).values_list("period", flat=True))
    world.expect({one.period for one in issued} <= closed, f"{party.name}: a statement of a month that is open")
    world.expect(not issuing.due(party.org_id), f"{party.name}: no statement of {issuing.due(party.org_id)}")
    try:
        checked = [verifier.check(exporting.as_json(one)) for one in issued]
        for before, after in itertools.pairwise(checked):
            verifier.continues(before, after)
    except verifier.Wrong as wrong:
        world.expect(False, f"{party.name}: {wrong}")
    world.events["statement verified"] += len(issued)


def charges(world: World, party: Party) -> None:
    """Who was charged was told so once, of the right amount, and nobody else was."""
    paid = Intent.objects.filter(wallet_id=party.org_id, state=State.SUCCEEDED).exclude(failure_code="unapplied")
    should = Counter(f"{cents / 100:.2f}" for cents in paid.values_list("amount_cents", flat=True))
    of_credit = Q(kind__in=CHARGED)
    of_plans = Q(kind=Kind.PLAN_STARTED) & ~Q(facts__amount="0.00") | Q(kind=Kind.PLAN_FAILED, facts__gone_back=True)
    told = Notice.objects.filter(of_credit | of_plans, wallet_id=party.org_id)
    there = Counter(str(facts["amount"]) for facts in told.values_list("facts", flat=True))
    world.expect(should == there, f"{party.name}: charged {should - there}, told of {there - should}")
    recharged = paid.filter(purpose=Purpose.RECHARGE).count()
    made = told.filter(kind=Kind.RECHARGE_MADE).count()
    world.expect(recharged == made, f"{party.name}: recharged {recharged} times, told {made} times")


def letters(world: World) -> None:
    """Each letter went out; where nobody could say whether it had, at most twice, under one name. Was that so twice (the
    power failed twice while it was handed over), staff see it, and send it again."""
    unclear = list(Notice.objects.filter(mail=Mail.FAILED, unclear__gte=sending.MOST_UNCLEAR))
    for notice in unclear:
        sending.again(notice, now=world.now)
    if unclear:
        sending.send(now=world.now)
    waiting = Counter(Notice.objects.filter(mail__in=(Mail.WAITING, Mail.FAILED)).values_list("kind", "mail", "error"))
    world.expect(not waiting, f"letters that did not go out: {dict(waiting)}")
    sent = Counter(str(message.message()["Message-ID"]) for message in mail.outbox)
    world.expect(len(sent) >= Notice.objects.filter(mail=Mail.SENT).count(), "a letter is called sent and is not")
    most = max(sent.values(), default=0)
    world.expect(most <= sending.MOST_UNCLEAR + bool(unclear), f"a letter went out {most} times")
    world.events["letter"] += len(sent)
