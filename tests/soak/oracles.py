"""What must be true after a soak, asked without Purser's code: the actors' notes and Stripe's own books against the tables.

Pure: `facts.py` reads, this compares. Each difference is one dictionary that says what it is.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal, localcontext
from typing import Any
from uuid import UUID

from tests.soak.diary import Diary, Kind, Sent
from tests.soak.facts import Charge, Facts, Stripe

Difference = dict[str, Any]
CENT = Decimal("0.01")


def differences(diary: Diary, stripe: Stripe, facts: Facts) -> list[Difference]:
    """Everything in which the notes, Stripe's books and the tables do not agree."""
    paid = [charge for charge in stripe.charges if charge.succeeded]
    return [
        *diary.failures,
        *_charges(paid, facts),
        *_collected(paid, facts),
        *_customers(diary, paid, facts),
        *_refunds(diary, stripe, facts),
        *_disputes(stripe, facts),
        *_promotions(diary, facts),
        *_events(diary, facts),
        *_reversals(diary, facts),
        *_costs(diary, facts),
    ]


def _say(difference: str, **what: object) -> Difference:
    return {"difference": difference, **{name: str(value) for name, value in what.items()}}


# --- Money coming in --------------------------------------------------------------------------------------------------


def _charges(paid: list[Charge], facts: Facts) -> Iterator[Difference]:
    """Each charge at Stripe is one paid intent, one grant and one posting of exactly its amount; and the other way round."""
    charged = Counter(charge.intent_id for charge in paid)
    grants = Counter(grant.intent_id for grant in facts.grants)
    posted = Counter(posting.intent_id for posting in facts.collected)
    for charge in paid:
        intent = facts.intents.get(charge.intent_id) if charge.intent_id else None
        if intent is None or intent.state != "succeeded":
            yield _say("charge_not_settled", charge=charge.id, cents=charge.cents, intent=charge.intent_id)
        elif intent.cents != charge.cents:
            yield _say("charge_of_another_amount", charge=charge.id, cents=charge.cents, wanted=intent.cents)
        for what, times in (("charged", charged), ("granted", grants), ("posted", posted)):
            if times[charge.intent_id] != 1:
                yield _say(f"not_{what}_once", intent=charge.intent_id, times=times[charge.intent_id])
    cents = {charge.intent_id: charge.cents for charge in paid}
    for rows, what in ((facts.grants, "grant"), (facts.collected, "posting")):
        for row in rows:
            if row.amount != cents.get(row.intent_id, 0) * CENT:
                yield _say(f"{what}_without_charge", intent=row.intent_id, amount=row.amount)
    for intent in facts.intents.values():
        if intent.state == "succeeded" and not charged[intent.id]:
            yield _say("paid_without_charge", intent=intent.id, cents=intent.cents)


def _collected(paid: list[Charge], facts: Facts) -> Iterator[Difference]:
    """Account 1000 is what is left with us of all cards' money, by organization's customer and in sum."""
    stripe = sum(charge.net_cents for charge in paid) * CENT
    if stripe != facts.stripe_balance:
        yield _say("account_1000_differs", stripe=stripe, ledger=facts.stripe_balance)


def _customers(diary: Diary, paid: list[Charge], facts: Facts) -> Iterator[Difference]:
    """Who paid at Stripe was charged once, who did not was not; who was told "Paid" has the credit."""
    charged = {charge.intent_id: charge.cents for charge in paid if charge.intent_id}
    granted = {grant.intent_id for grant in facts.grants}
    forms = {intent.key: intent for intent in facts.intents.values()}
    known = set()
    for purchase in diary.purchases:
        intent = forms.get(f"buy:{purchase.nonce.hex}")
        if intent is None:
            if purchase.intent_id or purchase.paid_at_stripe:
                yield _say("purchase_lost", nonce=purchase.nonce, intent=purchase.intent_id)
            continue
        known.add(intent.id)
        if (intent.org_id, intent.cents) != (purchase.org_id, purchase.cents):
            yield _say("purchase_differs", intent=intent.id, wanted=purchase.cents, made=intent.cents)
        if purchase.intent_id not in (None, intent.id):
            yield _say("two_purchases_of_one_form", nonce=purchase.nonce, one=intent.id, other=purchase.intent_id)
        if purchase.paid_at_stripe and charged.get(intent.id) != purchase.cents:
            yield _say("paid_and_not_charged", intent=intent.id)
        if intent.id in charged and not purchase.paid_at_stripe:
            yield _say("charged_and_never_paid", intent=intent.id, cents=charged[intent.id])
        if purchase.told_paid and intent.id not in granted:
            yield _say("told_paid_and_not_credited", intent=intent.id)
    for intent_id in facts.intents.keys() - known:
        yield _say("purchase_of_nobody", intent=intent_id)


def _promotions(diary: Diary, facts: Facts) -> Iterator[Difference]:
    """What staff were told they gave is there once; what they do not know, at most once; and nothing else was given."""
    there = Counter(facts.promotions)
    known = set()
    for act in diary.acts:
        if act.kind == Kind.GIFT and act.nonce:
            row = (int(act.whose), f"promo:staff:{act.nonce.hex}", act.amount)
            known.add(row[1])
            if there[row] > 1 or act.told_done > there[row]:
                yield _say("gift_not_given_once", key=row[1], times=there[row])
    for org_id, key, amount in facts.promotions:
        if key not in known:
            yield _say("gift_of_nobody", key=key, org=org_id, amount=amount)


# --- Money going back ---------------------------------------------------------------------------------------------------

ENDS = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed", "pending": "pending"}


def _refunds(diary: Diary, stripe: Stripe, facts: Facts) -> Iterator[Difference]:
    """Each refund at Stripe is one of ours, with its amount and end; each of ours was made once; staff asked for theirs."""
    ours = {refund.provider_id: refund for refund in facts.refunds if refund.provider_id}
    there = {refund.provider_id for refund in stripe.refunds}
    for told in stripe.refunds:
        known = ours.get(told.provider_id or "")
        if known is None:
            yield _say("refund_not_known", refund=told.provider_id, cents=told.cents)
        elif (known.cents, known.state, known.charge_id) != (told.cents, ENDS.get(told.state), told.charge_id):
            yield _say("refund_differs", stripe=told, ours=known)
    for id_, times in Counter(refund.key for refund in stripe.refunds if refund.key).items():
        if times > 1:
            yield _say("refunded_twice", refund=id_, times=times)
    for refund in facts.refunds:
        if refund.state != "failed" and refund.provider_id not in there:
            yield _say("refund_not_at_stripe", refund=refund)
    asked = {f"staff:{act.nonce}": act for act in diary.acts if act.kind == Kind.REFUND}
    made = Counter(refund.key for refund in facts.refunds if refund.key.startswith("staff:"))
    for key in made.keys() - asked.keys():
        yield _say("refund_of_nobody", key=key)
    for key, act in asked.items():
        if act.told_done and made[key] != 1:
            yield _say("refund_told_and_not_made", key=key)


def _disputes(stripe: Stripe, facts: Facts) -> Iterator[Difference]:
    """The same disputes, in the same state, with the same movements of money."""
    ours = {dispute.provider_id: dispute for dispute in facts.disputes}
    theirs = {dispute.provider_id: dispute for dispute in stripe.disputes}
    for id_ in ours.keys() | theirs.keys():
        if ours.get(id_) != theirs.get(id_):
            yield _say("dispute_differs", stripe=theirs.get(id_), ours=ours.get(id_))


# --- Use ----------------------------------------------------------------------------------------------------------------


def _events(diary: Diary, facts: Facts) -> Iterator[Difference]:
    """What a gateway was told is accepted is there once as it was sent; what is refused is not; nor anything else."""
    times = Counter(event_id for event_id, _ in facts.events)
    stored = dict(facts.events)
    for event_id in diary.taken:
        if event_id not in stored:
            yield _say("event_lost", event=event_id)
    for event_id, event in stored.items():
        if times[event_id] != 1:
            yield _say("event_doubled", event=event_id, times=times[event_id])
        if event_id in diary.refused:
            yield _say("refused_event_kept", event=event_id)
        if event_id not in diary.sent:
            yield _say("event_of_nobody", event=event_id)
        elif event != diary.sent[event_id]:
            yield _say("event_differs", event=event_id, sent=diary.sent[event_id], stored=event)
    for event_id in diary.sent.keys() - diary.taken - diary.refused:
        yield _say("event_never_answered", event=event_id)


def _reversals(diary: Diary, facts: Facts) -> Iterator[Difference]:
    for reversal_id in diary.reversals.keys() ^ facts.reversals.keys():
        yield _say("reversal_lost_or_of_nobody", reversal=reversal_id)
    for reversal_id in diary.reversals.keys() & facts.reversals.keys():
        if diary.reversals[reversal_id] != facts.reversals[reversal_id]:
            yield _say("reversal_of_another_event", reversal=reversal_id)


def _costs(diary: Diary, facts: Facts) -> Iterator[Difference]:
    """What each organization was charged for use: what the gateways sent, at its price, less what was taken back."""
    reversed_ = set(diary.reversals.values())
    wanted: dict[int, Decimal] = defaultdict(Decimal)
    for event_id in (diary.taken & facts.by_credit) - reversed_:
        event = diary.sent[event_id]
        wanted[event.org_id] += _cost(event, facts)
    for org_id in wanted.keys() | facts.charged.keys():
        if wanted[org_id] != facts.charged.get(org_id, 0):
            yield _say("use_costs_another_sum", org=org_id, sent=wanted[org_id], charged=facts.charged.get(org_id, 0))


def _cost(event: Sent, facts: Facts) -> Decimal:
    price = facts.prices[event.model]
    with localcontext() as context:
        context.prec = 60
        return (
            (event.input_tokens - event.cached_tokens) * price.input
            + event.cached_tokens * price.cached
            + event.output_tokens * price.output
        )


def intents_of(charges: Iterable[Charge]) -> set[UUID]:
    """The intents whose money Stripe has."""
    return {charge.intent_id for charge in charges if charge.succeeded and charge.intent_id}
