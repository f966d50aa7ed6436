"""How plans end: canceled, not paid, disputed, or because their last model is retired. What has ended stays ended."""

from datetime import datetime

from billing.catalog import current
from billing.payments import refunds
from billing.subscriptions import cover, earning, telling
from billing.subscriptions.models import (
    OPEN_STATES,
    PAID_STATES,
    Change,
    Charge,
    CoveredModel,
    Ended,
    State,
    Subscription,
)


def end(running: Subscription, why: Ended, *, at: datetime | None = None, tell: bool = True, now: datetime) -> None:
    """Its cover ends now, or ended `at` its period's end. The wallet is locked. It has ended before: nothing happens."""
    if running.state == State.ENDED:
        return
    running.state, running.ended_as, running.ended_at, running.next_at = State.ENDED, why, at or now, None
    running.save()
    Change.objects.filter(subscription=running, withdrawn_at=None, applied_at=None).update(withdrawn_at=now)
    CoveredModel.objects.filter(subscription=running, open=True).update(open=False)
    cover.date_ahead(running, now=now)
    if tell:
        telling.ended(running, now=now)


def canceled(running: Subscription, *, now: datetime) -> None:
    """In grace, at once: nothing is owed (A11)."""
    end(running, Ended.CANCELED, now=now)


# --- Retired models --------------------------------------------------------------------------------------------------------


def retiring(*, now: datetime) -> list[tuple[int, int]]:
    """(organization, subscription) of plans none of whose models is served any more."""
    retired = [model.id for model in current.latest().models if model.is_retired(now)]
    if not retired:
        return []
    served = CoveredModel.objects.filter(open=True).exclude(model__in=retired).values("subscription")
    over = Subscription.objects.filter(state__in=OPEN_STATES, covered__model__in=retired).exclude(pk__in=served)
    return list(over.distinct().order_by("pk").values_list("wallet_id", "pk"))


def retire(running: Subscription, *, now: datetime) -> None:
    """The company retired its last model: the plan ends, and the days that were not used go back to the card (A29, row 25).

    The wallet is locked. The clock sends the refund.
    """
    if running.state not in OPEN_STATES:
        return
    had_paid = running.state in PAID_STATES
    end(running, Ended.RETIRED, now=now)
    if not had_paid:
        return
    fees = running.periods.filter(number=running.number, ends_at__gt=now)
    earning.earn_through(list(fees), now.date(), now=now)
    for charge in Charge.objects.filter(periods__in=fees, intent__isnull=False).distinct().select_related("intent"):
        assert charge.intent is not None
        refunds.give_back(
            charge.intent, charge.amount_cents, key=f"retired:{charge.pk}", reason="The last model of the plan was retired.",
            now=now,
        )  # fmt: skip
