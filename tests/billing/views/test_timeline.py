"""The Timeline page: what is fixed, what is a forecast, and how both are told apart."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing import flows
from billing.catalog.models import AIModel, Plan
from orgs.models import ApiKey, Organization, User
from tests.factories import books, cards, contracts, plans, recharging, usage

pytestmark = pytest.mark.usefixtures("at_noon")

DAY = timedelta(days=1)
STARTED = datetime(2026, 3, 19, 14, 3, tzinfo=UTC)


def page(client: Client, organization: Organization, query: str = "") -> str:
    answer = client.get(f"/o/{organization.slug}/timeline{query}")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


def words(shown: str) -> str:
    """Without mark-up."""
    import re

    return " ".join(re.sub(r"<[^>]+>", " ", shown).split())


def test_nothing_is_coming(alice_client: Client, acme: Organization) -> None:
    shown = page(alice_client, acme)
    assert "Nothing is coming." in shown
    assert "timeline.ics" not in shown


def test_a_smaller_plan_from_the_19th(alice_client: Client, acme: Organization, alice: User) -> None:
    _, _, larger = plans.offered()
    plan = plans.begun(acme, larger, alice, now=STARTED)
    pro = Plan.objects.get(slug="code-pro")
    flows.schedule_plan(acme.pk, plan.public_id, pro.pk, by=alice.pk, now=STARTED + DAY)
    told = words(page(alice_client, acme))
    assert "Code Max becomes Code Pro Tokens a day go from 120 M to 24 M. You can undo it until that moment." in told
    assert "Code Pro, paid until 19 May Visa ending 4242 $50.00" in told
    assert "April 2026 $50.00 fixed" in told
    assert "April closes No overdraft to charge, as things stand." in told
    assert "forecast" not in told.replace("forecasts show up", "")


def test_the_rest_of_the_year_is_one_click_away(alice_client: Client, acme: Organization, alice: User) -> None:
    plans.begun(acme, plans.offered()[1], alice, now=STARTED)
    shown = page(alice_client, acme)
    assert shown.count('<section class="timeline-month"') == 3
    assert '<a class="link-inline" href="/o/acme/timeline?all=1">Show July 2026 to April 2027</a>' in shown
    assert page(alice_client, acme, "?all=1").count('<section class="timeline-month"') == 13
    assert alice_client.get("/o/acme/timeline?all=yes").status_code == 404


def test_credit_at_its_pace(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    """4.00 a day of 40.00: it ends in ten days, and nothing of it is lost."""
    usage.bought(acme, "80", now=at_noon - 40 * DAY)
    for days in range(1, 11):
        books.accepted(key, model, at_noon - days * DAY, tokens_in=8_000_000, tokens_out=1_600_000)
    books.charged(now=at_noon)
    shown = page(alice_client, acme)
    assert "forecasts assume the pace of the last 7 days" in shown
    told = words(shown)
    assert "24 Apr about Credit ends At this pace." in told
    assert "timeline-maybe" in shown


def test_recharges_are_foretold_with_their_amounts(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime, alice: User
) -> None:
    usage.bought(acme, "80", now=at_noon - 40 * DAY)
    for days in range(1, 11):
        books.accepted(key, model, at_noon - days * DAY, tokens_in=8_000_000, tokens_out=1_600_000)
    books.charged(now=at_noon)
    recharging.on(acme, alice, now=at_noon)
    told = words(page(alice_client, acme))
    # 20.00 above the threshold last for five days, 30.01 for seven and a half.
    assert "19 Apr about Auto-recharge When credit falls below $20.00. Visa ending 4242 ≈ $30.01" in told
    assert "April 2026 ≈ $60.02 forecast" in told
    assert "Auto-recharge, about 4 times When credit falls below $20.00. Visa ending 4242 ≈ $120.04" in told
    assert "At this pace" not in told


def test_what_goes_wrong_unless_somebody_acts(alice_client: Client, acme: Organization, alice: User) -> None:
    card = cards.saved(acme, expires=(2026, 5))
    plans.begun(acme, plans.offered()[1], alice, now=STARTED, method=card)
    told = words(page(alice_client, acme, "?all=1"))
    assert "Visa ending 4242 expires It is the default card and the card of a plan. Save another one before." in told
    assert "19 Jun 14:03 Code Pro cannot be renewed Visa ending 4242 cannot be charged then." in told.replace(
        "Fixed ", ""
    )
    assert "26 Jun 14:03 Code Pro ends Unless its renewal is paid before." in told.replace("Fixed ", "")
    assert "19 Jul" not in told


def test_the_calendar_file_has_what_is_fixed(alice_client: Client, acme: Organization, alice: User) -> None:
    plans.begun(acme, plans.offered()[1], alice, now=STARTED)
    usage.given(acme, "20", now=STARTED, days=40)
    answer = alice_client.get("/o/acme/timeline.ics")
    text = answer.content.decode().replace("\r\n ", "")
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    assert text.count("BEGIN:VEVENT") == 13
    assert "SUMMARY:$50.00\\, Code Pro\\, paid until 19\u00a0May\\, Acme Research" in text
    assert "Welcome credit expires" in text
    assert "closes" not in text


@pytest.mark.parametrize("bob_role", ["viewer"])
def test_a_viewer_reads_it(bob_client: Client, charlie_client: Client, acme: Organization) -> None:
    assert "Nothing is coming." in page(bob_client, acme)
    assert charlie_client.get("/o/acme/timeline").status_code == 404


def test_many_items_take_no_more_queries_than_few(
    alice_client: Client, acme: Organization, alice: User, at_noon: datetime
) -> None:
    def of(start: int) -> None:
        plans.begun(acme, plans.alone(f"plan-{start}"), alice, now=STARTED + start * DAY)
        model = contracts.model(f"reserved-{start}")
        contracts.accepted(acme, alice, model, card=False, now=at_noon - DAY, starts_on=date(2026, 5, 1))
        usage.given(acme, str(Decimal(5 + start)), now=STARTED, days=60 + start)

    def queries() -> int:
        page(alice_client, acme)  # the catalog is read again when it has changed
        with CaptureQueriesContext(connection) as asked:
            page(alice_client, acme)
        return len(asked)

    cards.saved(acme)
    of(1)
    few = queries()
    of(2)
    of(3)
    assert queries() == few
    assert few < 60
