"""The moments of a purchase at which Purser calls Stripe: what led there, the step that calls, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from tests.factories.paying import PAYS as PAYING
from tests.faults.living import HOUR, MINUTE, Life
from tests.faults.troubles import BY_NAME, Trouble, with_call

PAID, CANCELED, EXPIRED, DECLINED, NOT_OPENED = "paid", "canceled", "expired", "declined", "not opened"
REFUNDED, NOT_REFUNDED, DISPUTED, WON = "refunded", "not refunded", "disputed", "won"
A_LITTLE_LATER = timedelta(seconds=46)
"""After this the poller takes a purchase up. Twice that, and Stripe would not open its page any more for half an hour."""
OVER = 32 * MINUTE

CUSTOMERS, SESSIONS, REFUNDS = "/v1/customers", "/v1/checkout/sessions", "/v1/refunds"
PENDS = "4000000000007726"
"""A card whose refunds take a while."""


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
        if second is not None and second.final and not (first and first.had_effect and self.call != "create customer"):
            return self.refused
        return self.ends


# --- What leads there ---------------------------------------------------------------------------------------------------


def lost(life: Life, path: str, trouble: str) -> None:
    """The first call of this purchase got into trouble."""
    with with_call(life.stripe, "POST", path, BY_NAME[trouble]) as struck:
        life.buys()
    assert struck.hits == 1


def refund_lost_and(trouble: str, *steps: Callable[[Life], object]) -> Callable[[Life], None]:
    """Staff asked for a refund, and the call got into trouble."""

    def lead(life: Life) -> None:
        life.was_paid()
        with with_call(life.stripe, "POST", REFUNDS, BY_NAME[trouble]) as struck:
            life.refunds()
        assert struck.hits == 1
        for step in steps:
            step(life)

    return lead


def paid_and(*steps: Callable[[Life], object], card: str = PAYING) -> Callable[[Life], None]:
    def lead(life: Life) -> None:
        life.was_paid(card)
        for step in steps:
            step(life)

    return lead


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
create_refund = partial(Moment, "create refund", method="POST", path=REFUNDS, ends=REFUNDED)
list_refunds = partial(Moment, "list refunds", method="GET", path=REFUNDS, step=WORKS, ends=REFUNDED)
read_refund = partial(Moment, "read refund", method="GET", path=f"{REFUNDS}/*", step=WORKS, ends=REFUNDED)
read_dispute = partial(Moment, "read dispute", method="GET", path="/v1/disputes/*", step=WORKS)

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
    create_refund("first", before=Life.was_paid, step=Life.refunds, refused=NOT_REFUNDED),
    create_refund(
        "second click after a lost answer", before=refund_lost_and("connection reset after", LATER), step=Life.refunds
    ),
    create_refund(
        "poller after a lost call",
        before=refund_lost_and("connection reset before", LATER),
        step=WORKS,
        refused=NOT_REFUNDED,
    ),
    list_refunds("after a lost answer", before=refund_lost_and(FORGETFUL, LATER)),
    list_refunds("a day later", before=refund_lost_and(FORGETFUL, passes(24 * HOUR))),
    list_refunds("made elsewhere, webhook", before=paid_and(Life.is_refunded_elsewhere, HEARS)),
    read_refund("on its way, poller", before=paid_and(Life.refunds, passes(2 * HOUR), card=PENDS)),
    read_refund("done, webhook", before=paid_and(Life.refunds, HEARS)),
    read_refund("made elsewhere, webhook", before=paid_and(Life.is_refunded_elsewhere, HEARS)),
    read_dispute("opened, webhook", before=paid_and(Life.is_disputed, HEARS), ends=DISPUTED),
    read_dispute("won, poller", before=paid_and(Life.is_disputed, HEARS, WORKS, Life.wins, passes(2 * HOUR)), ends=WON),
    read_dispute("won, webhook", before=paid_and(Life.is_disputed, Life.wins, HEARS), ends=WON),
    read_payment("closed, webhook", before=bought_and(IS_DECLINED, gives_up, HEARS), ends=DECLINED),
)
