"""Two organizations, everybody who might come to a door, and what they bring."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from billing import flows, periods
from billing.catalog.models import Plan
from billing.contracts.models import Contract
from billing.graphs import lines
from billing.graphs.movements import Kind
from billing.limits import resolved
from billing.metering import gateways
from billing.statements import issuing, receipts
from billing.statements.models import Statement
from orgs import keys
from orgs.models import Organization, Role, User
from tests.architecture.routes import Door, Own, Page
from tests.factories import adding_cards, business, catalog, contracts, plans, usage
from tests.factories import orgs as people

ANONYMOUS, STRANGER, INACTIVE, STAFF, PLAIN_STAFF = "anonymous", "stranger", "inactive", "staff", "staff without rights"
OUTSIDERS = (ANONYMOUS, STRANGER, INACTIVE, STAFF)
MEMBERS = tuple(str(role) for role in Role)

ACME = "Acme Research"
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b(?!.{0,12}\"?django_session)", re.IGNORECASE | re.DOTALL)


@dataclass
class World:
    """`sessions`: who is signed in, by what they are. `own` and `foreign`: names of things of Acme's and of another's."""

    acme: Organization
    sessions: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    browsers: dict[str, Client] = field(default_factory=dict)

    def browser(self, who: str, **options: Any) -> Client:
        """A browser of this person as if it were new; what it does is undone by `undone`."""
        # One for all: starting Django's frame takes longer than a request.
        if str(options) not in self.browsers:
            self.browsers[str(options)] = Client(raise_request_exception=False, **options)
        client = self.browsers[str(options)]
        client.cookies.clear()
        if who in self.sessions:
            client.cookies["sessionid"] = self.sessions[who]
        return client

    def address(self, row: Page | Own | Door, **other: str) -> str:
        if isinstance(row, Page):
            wanted = {"slug": self.acme.slug} | ({row.object: self.own[row.object]} if row.object else {}) | other
        else:
            wanted = dict(row.kwargs) if isinstance(row, Own) else {}
        query = row.query.format(**self.own) if isinstance(row, Door) else ""
        return reverse(row.name, kwargs=wanted) + query


@contextmanager
def undone() -> Iterator[list[str]]:
    """What is written within is undone; the list holds the statements that wrote (other than to the session)."""
    wrote: list[str] = []

    def noticed(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if WRITES.match(sql):
            wrote.append(sql)
        return execute(sql, params, many, context)

    with transaction.atomic(), connection.execute_wrapper(noticed):
        yield wrote
        transaction.set_rollback(True)


def made() -> World:
    now = datetime.now(UTC)
    usage.days(now, now + timedelta(days=1))
    catalog.first_catalog()
    alice = people.person("alice@example.com", "Alice Archer")
    world = World(people.team(alice, ACME, slug="acme"))
    for role in Role:
        person = alice if role == Role.OWNER else people.person(f"{role}@example.com", f"Bob the {role}")
        if role != Role.OWNER:
            people.member(world.acme, person, role)
        world.sessions[role] = _session(person)
    charlie = people.person("charlie@example.com", "Charlie Cole")
    world.sessions[STRANGER] = _session(charlie)
    world.sessions[INACTIVE] = _gone(world.acme)
    world.sessions[STAFF] = _session(_staff("sam@example.com", superuser=True))
    world.sessions[PLAIN_STAFF] = _session(_staff("pat@example.com", superuser=False))
    world.own = _things(world.acme, people.person("dana@example.com", "Dana Drew"), now=now)
    other = people.team(charlie, "Charlie's Team", slug="charlies")
    # The lines of a ledger are numbered for each organization: theirs have to be other numbers to be others.
    usage.bought(other, "20.00", now=now)
    world.foreign = _things(other, people.person("eve@example.com", "Eve Ember"), now=now)
    _machines(world, now)
    return world


def _session(person: User) -> str:
    return str(people.signed_in(person).cookies["sessionid"].value)


def _staff(email: str, *, superuser: bool) -> User:
    person = people.person(email, "Sam Staff")
    person.is_staff, person.is_superuser = True, superuser
    person.save()
    return person


def _gone(acme: Organization) -> str:
    """An owner whose account was switched off after signing in."""
    person = people.person("frank@example.com", "Frank Gone")
    people.member(acme, person, Role.OWNER)
    session = _session(person)
    User.objects.filter(pk=person.pk).update(is_active=False)
    return session


def _things(org: Organization, member: User, *, now: datetime) -> dict[str, str]:
    """One of each that an address can name: a member, a key, a purchase and its line in the ledger, a card."""
    membership = people.member(org, member, Role.DEVELOPER)
    key = people.key(org, "prod-api")
    grant = usage.bought(org, "100.00", now=now)
    line = lines.read(org.pk, Kind.ALL).lines[0].newest.name
    assert grant.payment_id is not None
    receipts.issue(grant.payment_id, now=now)
    return {
        "pk": str(membership.pk),
        "public_id": key.key.public_id,
        "secret": key.secret,
        "fingerprint": keys.fingerprint(key.secret).hex(),
        "intent_id": str(grant.payment_id),
        "line": line,
        "number": _statement(org, now).name,
        **adding_cards.things(org, member, now=now),
        "contract_id": str(_contract(org, member, now).public_id),
        **_plan(org, member, now),
    }


def _plan(org: Organization, by: User, now: datetime) -> dict[str, str]:
    """Code Pro since yesterday, paid on Stripe's page, and what an upgrade to Code Max was said to cost."""
    pro, larger = (Plan.objects.get(slug=slug) for slug in ("code-pro", "code-max"))
    charge = plans.asked(org, pro, by, now=now - timedelta(days=1))
    assert charge.intent is not None
    plans.paid(charge.intent, now=now - timedelta(days=1))
    quote = flows.quote_plan(org.pk, larger.pk, by=by.pk, now=now)
    return {
        "subscription_id": str(plans.of(charge).public_id),
        "payment_id": str(charge.intent_id),
        "quote_id": str(quote.pk),
    }


def _contract(org: Organization, by: User, now: datetime) -> Contract:
    """Offered, and not accepted yet."""
    return contracts.offered(org, by, now=now, starts_on=periods.next_month(periods.month_of(now)))


def _statement(org: Organization, now: datetime) -> Statement:
    """Of the month before: bought, and told."""
    last = now.replace(day=1) - timedelta(days=1)
    usage.bought(org, "5.00", now=last)
    business.closed(org, periods.month_of(last), now=now)
    return issuing.issue(org.pk, periods.month_of(last), now=now)


def _machines(world: World, now: datetime) -> None:
    gateway, old = gateways.register("eu-1", now=now), gateways.register("eu-0", now=now)
    shown = keys.by_secret(world.own["secret"])
    assert shown is not None
    # The other organization's key was never shown to this gateway.
    resolved.remember(gateway.pk, shown.pk, shown.public_id, now=now)
    revoked = people.key(world.acme, "old")
    keys.revoke(revoked.key, now)
    world.tokens = {
        "nonsense": "gw-purser-nobody",
        "gateway": gateways.mint(gateway, now=now),
        "revoked gateway": gateways.mint(old, now=now),
        "key": world.own["secret"],
        "revoked key": revoked.secret,
    }
    gateways.revoke(old, now=now)
