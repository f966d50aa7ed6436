"""What is going to happen and is already certain: ends of grants, ends of models."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from billing.catalog.models import AIModel
from billing.graphs.credits import Credit, Table
from billing.graphs.forecast import Forecast

WARNED = timedelta(days=60)
"""How long before its end a model that is in use is announced."""
WORTH_SAYING = Decimal("0.01")
"""USD left in a grant from which its end is worth a line (A60)."""
SHOWN = 6


@dataclass(frozen=True, slots=True)
class Moment:
    """Either a grant or a model ends. `unused`: what of the grant would expire at this pace; None without a forecast."""

    at: datetime
    credit: Credit | None
    model: AIModel | None
    unused: Decimal | None = None


def up(table: Table, forecast: Forecast | None, used_models: Iterable[int], *, now: datetime) -> list[Moment]:
    """The next of them, earliest first. One query."""
    unused = {one.account_id: one.amount for one in forecast.unused} if forecast else {}
    moments = [
        Moment(
            one.expires_at,
            one,
            None,
            unused.get(one.account_id, Decimal(0)) if forecast else None,
        )
        for one in table.credits
        if one.expires_at > now and one.rest > WORTH_SAYING
    ]
    moments += [
        Moment(model.refused_from, None, model)
        for model in AIModel.objects.filter(pk__in=list(used_models), deprecated_on__isnull=False)
        if model.refused_from and now < model.refused_from <= now + WARNED
    ]
    return sorted(moments, key=lambda moment: moment.at)[:SHOWN]
