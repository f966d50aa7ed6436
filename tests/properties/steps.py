"""What the rules of the machine are made of: how a step is counted, and what is drawn for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.properties.world import DUST, START

COUNTED: Counter[str] = Counter()
"""Steps that were really done, by rule; `examples` beside them."""

SPANS = (
    *(timedelta(seconds=seconds) for seconds in (1, 7, 43)),
    *(timedelta(minutes=minutes) for minutes in (1, 4, 16)),
    *(timedelta(hours=hours) for hours in (1, 5, 25)),
    *(timedelta(days=days) for days in (1, 3, 10, 32)),
)
SHORT = st.sampled_from(SPANS[:9])
ANY_SPAN = st.sampled_from(SPANS)
LATE = st.sampled_from((timedelta(0), *SPANS[:10]))
REFUNDS_PEND = "4000000000007726"
UNKNOWN_TO_STRIPE = "unknown to this Stripe"
COSTS = st.sampled_from([Decimal(cost) for cost in ("0.01", "0.37", "1", "3.333333333333", "7.5", "60.000000000001")])
COST = st.builds(lambda cost, dust: cost + dust * DUST, COSTS, st.integers(0, 3))
CENTS = st.sampled_from([5_00, 7_01, 20_00, 100_00])
GIFTS = st.sampled_from([Decimal("2.5"), Decimal(10), Decimal("33.000000000001")])
PICK = st.integers(0, 30)


@dataclass
class Payment:
    intent_id: UUID
    cents: int
    state: str = "open"  # open, over, paid
    charge: str = ""  # of Stripe
    refunded: int = 0  # cents, by refunds that did not fail
    charged_at: datetime = START

    @property
    def name(self) -> str:
        return str(self.intent_id)


Act = Callable[..., bool | None]


def step(*, first: bool = False, **given: Any) -> Callable[[Act], Any]:
    """A rule that is counted when it was done; False: it found nothing to do. `first`: it opens an example."""

    def counted(act: Act) -> Any:
        @wraps(act)
        def done(self: Any, **values: Any) -> None:
            if act(self, **values) is not False:
                COUNTED[act.__name__] += 1
                self.steps += 1
                self.agree()

        made: Any = (initialize if first else rule)(**given)
        return made(done)

    return counted


def pick(among: list[Any], which: int) -> Any:
    return among[which % len(among)]
