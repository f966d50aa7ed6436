"""Cards that are saved, chosen and removed at the same instant, and beside what charges them."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from billing import flows
from billing.notices.models import Kind, Notice
from billing.payments import card_setups, methods
from billing.payments.answers import Card
from billing.payments.card_setups import CardSetup, SetupState
from billing.payments.models import PaymentMethod
from billing.recharge.models import Rule, Standing
from billing.recharge.rules import WishRefused
from orgs.models import Organization
from tests.factories import cards
from tests.factories import recharging as recharge
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import Control
from tests.races.scenes import NOW, World, bought

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SAVED = 'INSERT INTO "payment_method"'
CHANGED = 'UPDATE "payment_method"'


def adding(world: World, team: Organization) -> CardSetup:
    """A page to save a card on is open."""
    return CardSetup.objects.create(
        wallet_id=team.pk, state=SetupState.WAITING, key=f"card:{uuid4().hex}", created_by=world.alice, created_at=NOW,
        called_at=NOW, deadline=NOW, page_id=f"cs_{uuid4().hex}",
    )  # fmt: skip


def finish(setup: CardSetup, name: str) -> CardSetup | None:
    """Stripe has this card. It is the same one on every page, and has a name of its own there for each."""
    return flows.card_saved(setup.pk, card_setups.Saved(Card(name, "visa", "4242", 12, 2034)), now=NOW)


def told(team: Organization, what: str) -> int:
    return Notice.objects.filter(wallet=team.pk, kind=Kind.CARD_CHANGED, facts__what=what).count()


def defaults(team: Organization) -> list[PaymentMethod]:
    return list(methods.of(team.pk).filter(is_default=True))


def test_one_page_is_finished_by_three_at_once(arena: Arena, world: World) -> None:
    """The webhook, the return page and the poller: one card, and people are told once."""

    def prepare(turn: int) -> Race:
        team = world.team()
        setup, name = adding(world, team), f"pm_{uuid4().hex}"

        def wrong(answers: list[Any]) -> Anomalies:
            setup.refresh_from_db()
            return [
                *raised(answers),
                *differs("cards", PaymentMethod.objects.filter(wallet=team.pk).count(), 1),
                *differs("told", told(team, "added"), 1),
                *differs("state", setup.state, SetupState.SAVED),
            ]

        return Race([lambda: finish(setup, name)] * 3, wrong)

    arena.holds(prepare)
    # All have read that the card is not there yet. Its name at Stripe lets one of them through.
    with arena.unguarded(Control(locks=False, meet_at=SAVED)):
        arena.breaks(prepare, "payment_method_stripe_id|payment_method_one_default")


def test_the_same_card_is_added_on_two_pages_at_once(arena: Arena, world: World) -> None:
    """It is listed once, beside the card that was there, and Stripe will let go of its copy."""

    def prepare(turn: int) -> Race:
        team = world.team()
        cards.saved(team, "1111", at=NOW)
        setups = [adding(world, team) for _ in range(2)]

        def wrong(answers: list[Any]) -> Anomalies:
            listed = [card.last4 for card in methods.of(team.pk)]
            return [
                *raised(answers),
                *differs("listed", sorted(listed), ["1111", "4242"]),
                *differs("copies", PaymentMethod.objects.filter(wallet=team.pk, detached_at=NOW).count(), 1),
                *differs("pages without a card", CardSetup.objects.filter(wallet=team.pk, method=None).count(), 0),
                *differs("told", told(team, "added"), 1),
            ]

        return Race([lambda setup=setup: finish(setup, f"pm_{uuid4().hex}") for setup in setups], wrong)  # type: ignore[misc]

    arena.holds(prepare)
    # Both have read that no such card is there.
    with arena.unguarded(Control(locks=False, meet_at=SAVED)):
        arena.breaks(prepare, "listed: .*'4242', '4242'")


def test_the_default_is_removed_while_auto_recharge_is_switched_on_with_it(arena: Arena, world: World) -> None:
    """Either it is gone, and nobody can agree to have it charged; or it is charged from now on, and stays.

    Agreeing is looked at alone: the look at the balance that follows it would pause a rule whose card is gone.
    """

    def prepare(turn: int) -> Race:
        team = world.team()
        bought(team, "50")
        card = cards.saved(team, at=NOW)

        def wrong(answers: list[Any]) -> Anomalies:
            on = Rule.objects.filter(wallet=team.pk, standing=Standing.ON).exists()
            kept = methods.of(team.pk).filter(pk=card.pk).exists()
            return [
                *raised(answers, methods.CardRefused, WishRefused),
                *(["charges a card that was removed"] if on and not kept else []),
                *(["both were refused"] if kept and not on else []),
            ]

        return Race(
            [
                lambda: flows.remove_card(team.pk, card.pk, now=NOW),
                lambda: recharge.on(team, world.alice, card=card, threshold=1_00, to=20_00, now=NOW),
            ],
            wrong,
        )

    arena.holds(prepare)
    # One has read that nothing charges the card, the other one that it is there.
    with arena.unguarded(Control(locks=False, meet_at=f'{CHANGED}|INSERT INTO "recharge_consent"')):
        arena.breaks(prepare, "charges a card that was removed")


def test_two_cards_are_made_the_default_at_once(arena: Arena, world: World) -> None:
    """Whoever comes last has chosen; each is told of once."""

    def prepare(turn: int) -> Race:
        team = world.team()
        _, *others = [cards.saved(team, last4, at=NOW) for last4 in ("1111", "2222", "3333")]

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("defaults", len(defaults(team)), 1),
                *differs("chosen", defaults(team)[0] in others, True),
                *differs("told", told(team, "default"), 2),
            ]

        return Race([lambda card=card: flows.choose_card(team.pk, card.pk, now=NOW) for card in others], wrong)  # type: ignore[misc]

    arena.holds(prepare)
    # Both have read that the first one is the default: the index lets one of them through.
    with arena.unguarded(Control(locks=False, meet_at=CHANGED)):
        arena.breaks(prepare, "payment_method_one_default")


def test_one_card_is_made_the_default_twice_at_once(arena: Arena, world: World) -> None:
    """Two clicks: it is the default, and people are told once."""

    def prepare(turn: int) -> Race:
        team = world.team()
        _, other = [cards.saved(team, last4, at=NOW) for last4 in ("1111", "2222")]

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("defaults", defaults(team), [other]),
                *differs("told", told(team, "default"), 1),
            ]

        clicks = [NOW, NOW + timedelta(seconds=1)]
        return Race([lambda at=at: flows.choose_card(team.pk, other.pk, now=at) for at in clicks], wrong)  # type: ignore[misc]

    arena.holds(prepare)
    # Both have read that it is not the default, and each tells that it is from now on.
    with arena.unguarded(Control(locks=False, meet_at=CHANGED)):
        arena.breaks(prepare, "told: 2")
