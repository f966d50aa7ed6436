"""What ends or changes by itself: grants of credit, cards, models, list prices. Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from billing import wording
from billing.catalog.offer import Catalog, Version
from billing.graphs.coming import WORTH_SAYING
from billing.graphs.credits import Credit
from billing.graphs.forecast import Forecast
from billing.graphs.timeline.items import Item, Kind
from billing.money import ZERO
from billing.payments import methods
from billing.payments.models import PaymentMethod
from billing.recharge.models import Rule, Standing
from billing.subscriptions import ahead


def grants(credits: Iterable[Credit], pace: Forecast | None, *, now: datetime) -> Iterator[Item]:
    """`pace`: which of them would be unused at the pace there is; None: nothing is used, and all of it would be lost."""
    unused = {one.account_id: one.amount for one in pace.unused} if pace else None
    for one in credits:
        if one.expires_at <= now or one.rest <= WORTH_SAYING:
            continue
        lost = one.rest if unused is None else unused.get(one.account_id, ZERO)
        yield Item(
            one.expires_at, Kind.EXPIRY, f"{one.title} expires", _left(one, lost), fixed=not one.held, credit=lost,
            exact=False, short=one.title,
        )  # fmt: skip


def _left(one: Credit, lost: Decimal) -> str:
    left = f"{wording.usd_down(one.rest)} left now"
    if one.held:
        return f"{left}, held while its payment is disputed: it ends later by that time."
    if not lost:
        return f"{left}, forecast to be used before."
    return f"{left}, unless it is used before." if lost == one.rest else f"{left}, the rest unused at this pace."


def cards(
    kept: Iterable[PaymentMethod], plans: Sequence[ahead.Standing], rule: Rule | None, *, now: datetime
) -> Iterator[Item]:
    """The ends of saved cards, and what they are for."""
    of_plans = {one.running.method_id for one in plans}
    of_recharge = rule.method_id if rule and rule.standing == Standing.ON else None
    for card in kept:
        if (at := methods.expires_at(card.exp_year, card.exp_month)) <= now:
            continue
        uses = [
            *(["the default card"] if card.is_default else []),
            *(["the card of a plan"] if card.pk in of_plans else []),
            *(["the card of auto-recharge"] if card.pk == of_recharge else []),
        ]
        words = (
            f"It is {' and '.join(uses)}. Save another one before." if uses else "Nothing is charged to it by itself."
        )
        name = wording.card(card.brand, card.last4)
        yield Item(at, Kind.CARD_END, f"{name} expires", words, warning=bool(uses), short="Card expires")


def models(catalog: Catalog, used: Collection[int], *, now: datetime) -> Iterator[Item]:
    """Ends and new list prices of the models that are used or covered."""
    for model in catalog.models:
        if model.id not in used:
            continue
        if model.refused_from is not None and model.refused_from > now:
            words = "Requests from then on get 403."
            yield Item(model.refused_from, Kind.MODEL_END, f"{model.slug} ends", words, short=f"{model.slug} ends")
        for version in model.prices[1:]:
            if version.valid_from > now:
                yield Item(version.valid_from, Kind.PRICE, f"Price of {model.slug} changes", _price(version))


def _price(version: Version) -> str:
    new = version.per_million
    return f"From then on {wording.price(new.input_usd)} in, {wording.price(new.output_usd)} out per M tokens."
