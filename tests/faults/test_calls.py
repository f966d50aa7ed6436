"""Every call of a purchase x every moment x everything that can go wrong: it ends as if nothing had gone wrong.

After the trouble only what happens by itself goes on: the customer's page, webhooks, the inbox and the poller, until
nothing waits. The end is compared as a picture of what the customer has, what the ledger says and what Stripe says. Only
a refusal to open the purchase, or to make the refund, is final; then nothing is charged (or given back), and that is
said. In `make test` each moment meets one of the troubles and every second one a pair, so that each call and each trouble
is there; `make money` runs them all.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests import figures as counted
from tests import verified
from tests.faults import living, picture
from tests.faults.living import Life, World
from tests.faults.moments import (
    A_LITTLE_LATER,
    CANCELED,
    DECLINED,
    DISPUTED,
    EXPIRED,
    MOMENTS,
    NOT_OPENED,
    NOT_REFUNDED,
    PAID,
    REFUNDED,
    WON,
    Moment,
)
from tests.faults.troubles import TROUBLES, Trouble, with_call

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

TOO_LATE = timedelta(seconds=105)
SAYS = dict.fromkeys([REFUNDED, NOT_REFUNDED, DISPUTED, WON], ">Paid<") | {
    PAID: ">Paid<",
    CANCELED: "You canceled the payment.",
    EXPIRED: "closed after 30 minutes",
    DECLINED: "Your bank declined",
    NOT_OPENED: "Nothing was charged.",
}
NOTHING_PAID: picture.Picture = {
    "grants": [],
    "available": "0.00",
    "held": "0.00",
    "owed": ("0.00", "0.00"),
    "ledger": {},
    "refunds": [],
    "disputes": [],
    "cards": 0,
    "charged at Stripe": "0.00",
    "open pages at Stripe": 0,
    "news not worked on": 0,
}
BOUGHT: picture.Picture = NOTHING_PAID | {
    "payments": [("credits", 50_00, "succeeded", "")],
    "grants": [("50.00", "50.00", False)],
    "available": "50.00",
    "ledger": {1000: "-50.00", 2000: "50.00"},
    "cards": 1,
    "charged at Stripe": "50.00",
}
ENDS: dict[str, picture.Picture] = {
    PAID: BOUGHT,
    REFUNDED: BOUGHT
    | {
        "grants": [("50.00", "30.00", False)],
        "available": "30.00",
        "ledger": {1000: "-30.00", 2000: "30.00"},
        "refunds": [(20_00, "succeeded")],
        "charged at Stripe": "30.00",
    },
    NOT_REFUNDED: BOUGHT | {"refunds": [(20_00, "failed")]},
    DISPUTED: BOUGHT
    | {
        "grants": [("50.00", "0.00", True)],
        "available": "0.00",
        "ledger": {},
        "disputes": [(50_00, "needs_response")],
        "charged at Stripe": "0.00",
    },
    WON: BOUGHT | {"disputes": [(50_00, "won")]},
    CANCELED: {"payments": [("credits", 50_00, "canceled", "canceled")], **NOTHING_PAID},
    EXPIRED: {"payments": [("credits", 50_00, "canceled", "expired")], **NOTHING_PAID},
    DECLINED: {"payments": [("credits", 50_00, "canceled", "generic_decline")], **NOTHING_PAID},
    NOT_OPENED: {"payments": [("credits", 50_00, "failed", "not_opened")], **NOTHING_PAID},
}


def cells(place: int) -> Iterator[tuple[Trouble, ...]]:
    """What this moment meets: nothing; each trouble alone; some followed by another one on the repeated call.

    With `make money` each trouble is the first of six pairs, each time with another second one.
    """
    if counted.FULL:
        yield ()
    yield from ((trouble,) for trouble in counted.some(TROUBLES, place, reduced=1))
    followed = list(zip(TROUBLES, TROUBLES[place + 1 :] + TROUBLES[: place + 1]))
    yield from followed[place % 4 :: 4] if counted.FULL else followed[place : place + 1 - place % 2]


def met(life: Life, moment: Moment, troubles: tuple[Trouble, ...]) -> int:
    """The life with its trouble, to its end; answers how often Stripe was in trouble."""
    moment.before(life)
    hits = 0
    if not troubles:
        moment.step(life)
    for number, trouble in enumerate(troubles):
        with with_call(life.stripe, moment.method, moment.path, trouble, skip=0 if number else moment.skip) as struck:
            if number:
                life.passes(A_LITTLE_LATER)
                life.checks()
                life.hears()
                life.works()
            else:
                moment.step(life)
        hits += struck.hits
    life.goes_on()
    return hits


def wrongs(life: Life, expected: str) -> list[str]:
    """What differs from the end that this life should have had."""
    found = picture.of(life.org, life.stripe.sandbox, now=datetime.now(UTC))
    if expected == PAID and came_too_late(life):
        expected = NOT_OPENED
    should = ENDS[expected]
    if expected == CANCELED and found["payments"] == ENDS[EXPIRED]["payments"]:
        # The page was closed all right; when the answer to that is lost, nobody can tell by whom.
        should, expected = ENDS[EXPIRED], EXPIRED
    wrong = [f"{what}: {found[what]}, not {should[what]}" for what in should if found[what] != should[what]]
    wrong += [f"{address} answered {status}" for address, status in life.said if status >= 500]
    wrong += ["LOST"] if picture.is_lost(found) else []
    wrong += ["DOUBLE"] if picture.is_double(found) else []
    return wrong + ([] if SAYS[expected] in life.looks() else ["the page does not say so"])


def came_too_late(life: Life) -> bool:
    """Stripe opens no page that closes in less than half an hour, so after two minutes of trouble there is none to open."""
    intent = life.intent
    return intent.settled_at is not None and intent.settled_at - intent.created_at > TOO_LATE and not life.sessions()


@pytest.mark.parametrize("place", range(len(MOMENTS)), ids=[str(moment) for moment in MOMENTS])
def test_it_ends_as_if_nothing_had_gone_wrong(world: World, place: int, figures: counted.Record) -> None:
    moment, wrong, number = MOMENTS[place], {}, 0
    for number, troubles in enumerate(cells(place), start=1):
        name = ", then ".join(str(trouble) for trouble in troubles) or "no trouble"
        life = living.begun(world, number)
        try:
            hits = met(life, moment, troubles)
            found = wrongs(life, moment.expected(*troubles) if troubles else moment.ends)
        except Exception as error:  # one cell that breaks is no reason not to know of the others
            found = [repr(error)]
        else:
            found += [] if hits or not troubles else ["the trouble never struck"]
        if found:
            wrong[name] = found
    assert wrong == {}
    assert verified.differences(now=datetime.now(UTC), without=()) == []
    figures("stripe_faults", cells=number, lost=0, double=0)
