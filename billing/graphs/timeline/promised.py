"""Plans and contracts on the timeline: their steps, put in words. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from billing import periods, wording
from billing.catalog.offer import Catalog
from billing.contracts import ahead as contracts_ahead
from billing.contracts.ahead import What as OfContract
from billing.contracts.models import Ended as ContractEnded
from billing.graphs.timeline.items import Item, Kind
from billing.money import from_cents
from billing.payments.models import PaymentMethod
from billing.subscriptions import ahead as plans_ahead
from billing.subscriptions.ahead import What as OfPlan
from billing.subscriptions.models import Ended

WHY_ENDED = {
    Ended.CANCELED: "Canceled. Until then it works as it does now, and you can undo this.",
    Ended.RETIRED: "We retire its last model. The days you do not have go back to the card.",
    Ended.UNPAID: "Unless its renewal is paid before.",
    Ended.DISPUTED: "A payment for it is disputed. Decided for you, it goes on.",
}


def plans(standings: Iterable[plans_ahead.Standing], catalog: Catalog, *, until: datetime) -> Iterator[Item]:
    for standing in standings:
        for step in plans_ahead.steps(standing, catalog, until=until):
            yield _of_plan(step)


def _of_plan(step: plans_ahead.Step) -> Item:
    name = step.plan.name
    match step.what:
        case OfPlan.RENEWED:
            words = _card(step.method)
            if step.was is not None:
                words = f"{words}. {wording.usd(from_cents(step.was))} until then."
            return Item(step.at, Kind.RENEWAL, _paid(step), words, charge=from_cents(step.cents))
        case OfPlan.RETRIED:
            words = f"Not paid yet, tried again with {_card(step.method)}."
            return Item(step.at, Kind.RETRY, _paid(step), words, charge=from_cents(step.cents), warning=True)
        case OfPlan.NOT_RENEWED:
            why = f"{_card(step.method)} cannot be charged then." if step.method else "There is no card to charge."
            return Item(
                step.at,
                Kind.NOT_RENEWED,
                f"{name} cannot be renewed",
                f"{why} Choose another card before.",
                warning=True,
            )
        case OfPlan.CHANGED:
            assert step.to is not None, "a change has a plan to change to"
            before, after = (wording.round_tokens(one.daily_tokens) for one in (step.plan, step.to))
            words = f"Tokens a day go from {before} to {after}. You can undo it until that moment."
            return Item(step.at, Kind.PLAN_CHANGE, f"{name} becomes {step.to.name}", words, short=f"to {step.to.name}")
        case OfPlan.REFUNDED:
            words = "The days that are left of the period."
            return Item(step.at, Kind.REFUND, f"{name} is refunded in part", words, charge=-from_cents(step.cents))
    assert step.why is not None, "what ends has a reason"
    return Item(
        step.at,
        Kind.PLAN_END,
        f"{name} ends",
        WHY_ENDED[step.why],
        warning=step.why == Ended.UNPAID,
        short=f"{name} ends",
    )


def _paid(step: plans_ahead.Step) -> str:
    """ "Code Pro, paid until 19 May"."""
    assert step.until is not None, "what is paid is paid until a moment"
    return f"{step.plan.name}, paid until {wording.day(step.until, year=step.until.year != step.at.year)}"


def contracts(
    standings: Iterable[contracts_ahead.Standing], catalog: Catalog, *, now: datetime, until: datetime
) -> Iterator[Item]:
    for standing in standings:
        for step in contracts_ahead.steps(standing, catalog, now=now, until=until):
            yield _of_contract(step, standing.names)


def _of_contract(step: contracts_ahead.Step, models: str) -> Item:
    tokens = wording.round_tokens(step.contract.tokens)
    match step.what:
        case OfContract.COMMITTED:
            assert step.period is not None, "a commitment is of a month"
            card = _card(step.card) if step.card else "No card that can be charged then. It stays owed."
            return Item(
                step.at, Kind.COMMITMENT, f"{tokens} reserved tokens for {step.period:%B}", f"{models}. {card}",
                charge=from_cents(step.cents), warning=step.card is None,
            )  # fmt: skip
        case OfContract.RETRIED:
            words = f"Not paid yet, tried again with {_card(step.card)}." if step.card else "Not paid yet."
            title = f"Reserved capacity, due {wording.day(periods.midnight(step.period or step.at.date()))}"
            return Item(step.at, Kind.RETRY, title, words, charge=from_cents(step.cents), warning=True)
        case OfContract.CLOSED:
            return Item(
                step.at, Kind.CONTRACT_CLOSED, f"Requests to {models} are refused",
                "Unless the reserved capacity is paid before.", warning=True, short="Not paid",
            )  # fmt: skip
        case OfContract.PUT_OFF:
            words = "Its first month has to be paid on its first day. Save a card before."
            return Item(step.at, Kind.CONTRACT_WAITS, "Reserved capacity starts a month later", words, warning=True)
        case OfContract.TOLD:
            words = f"That of {models} ends on {wording.day(step.contract.ends_on)}."
            return Item(step.at, Kind.CONTRACT_NOTICE, "We remind you that reserved capacity ends", words)
        case OfContract.LAPSED:
            return Item(
                step.at, Kind.CONTRACT_WAITS, "An offer of reserved capacity ends",
                f"{tokens} tokens a month of {models}, unless an owner accepts it before.", short="Offer ends",
            )  # fmt: skip
    retired = step.why == ContractEnded.RETIRED
    words = "We retire its last model." if retired else "It does not renew. From then on these models use credit."
    return Item(
        step.at, Kind.CONTRACT_END, f"Reserved capacity of {models} ends", words, short="Reserved capacity ends"
    )


def _card(method: PaymentMethod | None) -> str:
    return wording.card(method.brand, method.last4) if method else ""
