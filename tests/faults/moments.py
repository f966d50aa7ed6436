"""The moments of a purchase at which Purser calls Stripe: what led there, the step that calls, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from tests.faults.living import HOUR, MINUTE, Life
from tests.faults.troubles import BY_NAME, Trouble, with_call

PAID, CANCELED, EXPIRED, DECLINED, NOT_OPENED = "paid", "canceled", "expired", "declined", "not opened"
A_LITTLE_LATER = timedelta(seconds=46)
"""After this the poller takes a purchase up. Twice that, and Stripe would not open its page any more for half an hour."""
OVER = 32 * MINUTE

CUSTOMERS, SESSIONS = "/v1/customers", "/v1/checkout/sessions"


@dataclass(frozen=True)
class Moment:
    """`before` leads to it, `step` makes the call. A final refusal at this moment ends the purchase as `refused`."""

    call: str
    name: str
    method: str
    path: str
    step: Callable[[Life], object]
    before: Callable[[Life], object] = lambda life: None
    ends: str = PAID
    refused: str = ""
    skip: int = 0

    def __str__(self) -> str:
        return f"{self.call}, {self.name}"

    def expected(self, first: Trouble | None, second: Trouble | None = None) -> str:
        """How the purchase ends. Only a refusal to open it is final; everything else is asked again."""
        if not self.refused:
            return self.ends
        if first is not None and first.final:
            return self.refused
        if second is not None and second.final and not (first and first.had_effect and self.call == "create checkout"):
            return self.refused
        return self.ends


# --- What leads there ---------------------------------------------------------------------------------------------------


def lost(life: Life, path: str, trouble: str) -> None:
    """The first call of this purchase got into trouble."""
    with with_call(life.stripe, "POST", path, BY_NAME[trouble]) as struck:
        life.buys()
    assert struck.hits == 1


def bought_and(*steps: Callable[[Life], object]) -> Callable[[Life], None]:
    def lead(life: Life) -> None:
        life.buys()
        for step in steps:
            step(life)

    return lead


def lost_and(path: str, trouble: str, *steps: Callable[[Life], object]) -> Callable[[Life], None]:
    def lead(life: Life) -> None:
        lost(life, path, trouble)
        for step in steps:
            step(life)

    return lead


def passes(time: timedelta) -> Callable[[Life], None]:
    return lambda life: life.passes(time)


def on_a_slow_clock(life: Life) -> None:
    """Stripe's clock is two minutes behind ours: at our deadline its page is still open."""
    life.stripe.admin.advance(-120)
    life.buys()
    life.wants_to_pay = False
    life.passes(OVER)


def gives_up(life: Life) -> None:
    life.wants_to_pay = False
    life.passes(OVER)


LATER = passes(A_LITTLE_LATER)
HEARS, WORKS, PAYS, IS_DECLINED = Life.hears, Life.works, Life.pays, Life.is_declined
FORGETFUL = "500 after"
"""Stripe keeps this answer under its key: asking again only ever brings the same 500, so the page is looked for."""

# --- The moments --------------------------------------------------------------------------------------------------------

create_customer = partial(Moment, "create customer", method="POST", path=CUSTOMERS, refused=NOT_OPENED)
create_checkout = partial(Moment, "create checkout", method="POST", path=SESSIONS)
find_checkout = partial(Moment, "find checkout", method="GET", path=SESSIONS, step=WORKS)
read_checkout = partial(Moment, "read checkout", method="GET", path=f"{SESSIONS}/*")
expire_checkout = partial(Moment, "expire checkout", method="POST", path=f"{SESSIONS}/*/expire")
read_payment = partial(Moment, "read payment", method="GET", path="/v1/payment_intents/*", step=WORKS)

MOMENTS: tuple[Moment, ...] = (
    create_customer("first", step=Life.buys),
    create_customer(
        "second click after a lost answer",
        before=lost_and(CUSTOMERS, "connection reset after", LATER),
        step=Life.buys,
    ),
    create_customer("poller after a lost call", before=lost_and(CUSTOMERS, "500 before", LATER), step=WORKS),
    create_checkout("first", step=Life.buys, refused=NOT_OPENED),
    create_checkout(
        "second click after a lost answer", before=lost_and(SESSIONS, "connection reset after", LATER), step=Life.buys
    ),
    create_checkout(
        "page's look after a lost call",
        before=lost_and(SESSIONS, "connection reset before", LATER),
        step=Life.checks,
        refused=NOT_OPENED,
    ),
    create_checkout("poller after a lost answer", before=lost_and(SESSIONS, "time-out after", LATER), step=WORKS),
    find_checkout("while open", before=lost_and(SESSIONS, FORGETFUL, LATER)),
    find_checkout("paid meanwhile", before=lost_and(SESSIONS, FORGETFUL, PAYS, LATER)),
    find_checkout("closed meanwhile", before=lost_and(SESSIONS, FORGETFUL, gives_up), ends=EXPIRED),
    find_checkout("a day later", before=lost_and(SESSIONS, FORGETFUL, gives_up, passes(23 * HOUR)), ends=EXPIRED),
    read_checkout("open, page's look", before=bought_and(LATER), step=Life.checks),
    read_checkout("open, poller", before=bought_and(LATER), step=WORKS),
    read_checkout("paid, return page", before=bought_and(PAYS), step=Life.checks),
    read_checkout("paid, webhook", before=bought_and(PAYS, HEARS), step=WORKS),
    read_checkout("paid, poller", before=bought_and(PAYS, LATER), step=WORKS),
    read_checkout("closed, poller", before=bought_and(gives_up), step=WORKS, ends=EXPIRED),
    read_checkout("closed, webhook", before=bought_and(IS_DECLINED, gives_up, HEARS), step=WORKS, ends=DECLINED),
    read_checkout("second look after closing it", before=bought_and(LATER), step=Life.cancels, ends=CANCELED, skip=1),
    expire_checkout("customer cancels", before=bought_and(LATER), step=Life.cancels, ends=CANCELED),
    expire_checkout("deadline", before=on_a_slow_clock, step=WORKS, ends=EXPIRED),
    read_payment("open, after a decline", before=bought_and(IS_DECLINED, HEARS)),
    read_payment("paid, webhook", before=bought_and(PAYS, HEARS)),
    read_payment("closed, webhook", before=bought_and(IS_DECLINED, gives_up, HEARS), ends=DECLINED),
)
