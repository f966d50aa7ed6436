"""Who there is: organizations, what they are like, and what the simulation knows of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orgs.models import Organization, User
from tests.factories import paying
from tests.simulation import actions, contracts, gateways, plans, saved_cards, standing_orders
from tests.simulation.promises import Promises
from tests.simulation.tally import CardNote, KeyNote, Paid, Tally

if TYPE_CHECKING:
    from tests.simulation.world import World

Act = Callable[["World", "Party"], None]


@dataclass(frozen=True)
class Habit:
    """How many times a day, on average, from which day of the simulation to which."""

    act: Act
    a_day: float
    first: int = 0
    last: int = 10_000

    @property
    def is_once(self) -> bool:
        return self.first == self.last


@dataclass(frozen=True)
class Personality:
    """`east`: hours its wall clock is ahead of UTC: it acts at its own midnight. `cents`: what it buys, when it has less
    than `below` USD. `clicks`: how often it presses a button. `abandons`: how likely it never pays the page it opened.
    `tokens`: the most of one request. `month_ends`: it does most things then."""

    name: str
    habits: tuple[Habit, ...]
    personal: bool = False
    cards: tuple[str, ...] = (paying.PAYS,)
    cents: tuple[int, ...] = (40_00, 60_00, 100_00)
    below: int = 10
    east: float = 0
    clicks: int = 1
    abandons: float = 0.02
    month_ends: bool = False
    tokens: int = 700_000


USES = Habit(gateways.use, 0.35)
TOPS_UP = Habit(actions.top_up, 0.15)
KEYS = Habit(actions.change_keys, 0.02)
REVERSED = Habit(gateways.take_back, 0.03)
COMMON = (USES, TOPS_UP, KEYS, REVERSED)
RECHARGES = (
    Habit(standing_orders.agree, 0.15),
    Habit(standing_orders.change_mind, 0.01),
    Habit(standing_orders.card_is_declined, 0.02),
    Habit(standing_orders.finish, 0.1),
)

STEADY = Personality("steady", COMMON)
BURSTY = Personality("bursty", (Habit(gateways.burst, 0.04), Habit(actions.top_up, 0.15), KEYS, REVERSED), clicks=2)
OVERSPENDS = Personality(
    "overspends",
    (*COMMON, Habit(actions.buy, 1, 0, 0), Habit(gateways.overspend, 4)),
    tokens=4_000_000,
    cents=(5_00, 10_00),
)
BROKE = Personality(
    "broke", (Habit(gateways.use, 0.3), Habit(actions.top_up, 0.2), KEYS),
    cards=(paying.DECLINES, paying.NO_FUNDS, paying.PAYS, paying.ASKS), cents=(5_00, 7_50),
)  # fmt: skip
MONTH_ENDS = Personality("month ends", (*COMMON, Habit(actions.buy, 0.03)), month_ends=True)
FAR_EAST = Personality("far east", COMMON, east=14, cents=(33_33, 66_67))
FAR_WEST = Personality("far west", (*COMMON, Habit(actions.give, 0.01)), east=-12, clicks=2)
ABANDONS = Personality("abandons", (*COMMON, Habit(actions.buy, 0.04)), abandons=0.5)
REFUNDED = Personality("refund seeker", (*COMMON, Habit(actions.refund, 0.04), Habit(actions.refund_elsewhere, 0.012)))
DISPUTES = Personality("disputer", (*COMMON, Habit(actions.dispute, 0.02)), cards=(paying.PAYS, paying.ASKS))
GIFTED = Personality(
    "promo receiver", (Habit(gateways.use, 0.35), Habit(actions.give, 0.04), Habit(actions.buy, 0.01), REVERSED),
)  # fmt: skip
RECHARGED = Personality(
    "recharged",
    (USES, USES, USES, Habit(actions.buy, 1, 0, 0), Habit(actions.top_up, 0.03), KEYS, REVERSED, *RECHARGES),
)
QUARRELS = Personality("recharged and disputed", (*RECHARGED.habits, Habit(actions.dispute, 0.008)))
CARDS = (
    Habit(saved_cards.add, 0.06),
    Habit(saved_cards.choose, 0.04),
    Habit(saved_cards.remove, 0.03),
    Habit(saved_cards.bank_sends_another, 0.02),
)
CHANGES_CARDS = Personality("changes cards", (*COMMON, *CARDS, Habit(saved_cards.detach_elsewhere, 0.005)), clicks=2)
RECHARGES_CARDS = Personality("recharges changing cards", (*RECHARGED.habits, *CARDS))
PLANS = (
    Habit(plans.subscribe, 1, 2, 2),
    Habit(plans.subscribe, 0.06),
    Habit(plans.use, 0.2),
    Habit(plans.upgrade, 0.04),
    Habit(plans.downgrade, 0.04),
    Habit(plans.cancel, 0.02),
    Habit(plans.withdraw, 0.04),
    Habit(plans.pay_late, 0.1),
)
BEGINS = (Habit(actions.buy, 1, 0, 0), TOPS_UP, REVERSED)
PLANNED = Personality("has a plan", (*BEGINS, *PLANS), clicks=2)
PLAN_UNPAID = Personality(
    "has a plan and no money",
    (
        *BEGINS, *PLANS, *CARDS[:2],
        Habit(plans.choose_card, 0.04), Habit(standing_orders.card_is_declined, 0.05),
    ),
)  # fmt: skip
CONTRACTS = (Habit(contracts.offer, 1, 4, 4), Habit(contracts.offer, 0.05), Habit(contracts.use, 0.5))
CONTRACTED = Personality("has a contract", (*BEGINS, *CONTRACTS), tokens=4_000_000, cents=(100_00,))
CONTRACT_UNPAID = Personality(
    "has a contract and no money",
    (
        *BEGINS, *CONTRACTS,
        Habit(contracts.pay, 0.05), Habit(contracts.end_unpaid, 0.02), Habit(standing_orders.card_is_declined, 0.03),
    ),
    tokens=4_000_000, cents=(100_00,),
)  # fmt: skip
FREE = Personality("personal, free", (Habit(gateways.use, 0.2), KEYS), personal=True)
LEAVES = Personality(
    "leaves",
    (Habit(gateways.use, 0.35, last=200), Habit(actions.top_up, 0.15, last=190), Habit(actions.leave, 1, 210, 210)),
    cents=(250_00, 500_00),
)  # fmt: skip
EVERYBODY = (
    STEADY, DISPUTES, PLANNED, RECHARGED, REFUNDED, CONTRACTED, GIFTED, CHANGES_CARDS, PLAN_UNPAID, BROKE, QUARRELS, FREE,
    CONTRACT_UNPAID, BURSTY, RECHARGES_CARDS, MONTH_ENDS, FAR_EAST, LEAVES, ABANDONS, FAR_WEST, OVERSPENDS,
)  # fmt: skip


@dataclass
class Party:
    """One organization, and what the simulation noted of it."""

    name: str
    like: Personality
    org: Organization
    owner: User
    keys: list[KeyNote]
    tally: Tally
    paid: list[Paid] = field(default_factory=list)
    session: tuple[str, datetime] | None = None
    unanswered: int = 0
    """Batches with its usage that a gateway has sent and was not answered yet."""
    left: bool = False
    promises: Promises = field(default_factory=Promises)
    cards_removed: dict[str, datetime] = field(default_factory=dict)
    """Cards that the page said are removed, by their name at Stripe, and when it said so."""
    cards_detached_elsewhere: set[str] = field(default_factory=set)
    cards_sent: list[CardNote] = field(default_factory=list)

    @property
    def org_id(self) -> int:
        return self.org.pk

    def moment(self, world: World, day: datetime) -> datetime:
        """When on this day it does something: at the edge of its own day more often than not, where it has one."""
        if self.like.month_ends and world.chance.random() < 0.5:
            return day + timedelta(hours=23, minutes=59, seconds=world.chance.randint(50, 59))
        if self.like.east and world.chance.random() < 0.5:
            midnight = day + timedelta(hours=-self.like.east % 24)
            return midnight + timedelta(seconds=world.chance.randint(-2, 2) % 86_400)
        return day + timedelta(seconds=world.chance.randrange(86_400))
