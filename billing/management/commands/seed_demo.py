"""`manage.py seed_demo`: an organization to try things with. Run again with the same words, it finds what it made."""

import hashlib
import hmac
import json
from argparse import ArgumentParser
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse

from billing import flows
from billing.management import demo, promised
from billing.money import NotMoney, to_cents, usd
from billing.payments import collecting, polling
from billing.payments.models import Intent, State
from orgs import founding, keys
from orgs.models import Kind, Organization, User
from sandbox import local
from sandbox.stripe.client import Admin

PROMOTION_DAYS = 365
HISTORY_CREDIT = Decimal(150)
STAFF = "staff@demo.example"
MOST_HISTORY = 35
"""Days. Older usage would not be accepted from a gateway either."""


@dataclass(frozen=True)
class Wanted:
    """What the operator asked for."""

    slug: str
    kind: Kind
    credit: Decimal
    paid: bool
    staff: bool
    history: int
    promises: bool


class Command(BaseCommand):
    help = "Makes (or finds) a demo organization with an owner, a key and credit, and prints JSON with how to get in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--slug", default="demo", help="the organization's address (default: demo)")
        parser.add_argument("--kind", choices=Kind.values, default=Kind.TEAM.value)
        parser.add_argument("--credit", default="0", metavar="USD", help="credit to grant, once (default: none)")
        parser.add_argument("--paid", action="store_true", help="buy the credit through the Stripe sandbox's checkout")
        parser.add_argument(
            "--history",
            type=int,
            default=0,
            metavar="DAYS",
            help="days of made-up traffic it has behind it (at most 35)",
        )
        parser.add_argument(
            "--promises",
            action="store_true",
            help="subscribe it to a plan through the Stripe sandbox, and reserve capacity from next month on",
        )
        parser.add_argument("--staff", action="store_true", help="make a staff account too")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("This is production: a demo account has a password that can be worked out.")
        wanted = self._wanted(options)
        now = datetime.now(UTC)
        with transaction.atomic():
            owner = _person(f"{wanted.slug}@demo.example", now)
            organization = _organization(wanted, owner, now)
            secret = _key(organization, owner, now)
        if wanted.history:
            demo.live_through(organization, wanted.history, HISTORY_CREDIT, now=now)
        if wanted.credit:
            _buy(organization, owner, wanted) if wanted.paid else _promote(organization, wanted, now)
        if wanted.promises:
            with local.provide_stripe() as sandbox_url:
                promised.promise(organization, owner, _person(STAFF, now), stripe=Admin.at(sandbox_url))
        report = {
            "address": settings.PUBLIC_URL + reverse("billing:overview", kwargs={"slug": organization.slug}),
            "email": owner.email,
            "password": _word("password", owner.email),
            "organization": organization.slug,
            "kind": organization.kind,
            "key": secret,
        }
        if wanted.staff:
            report |= _staff(now)
        self.stdout.write(json.dumps(report))

    def _wanted(self, options: dict[str, Any]) -> Wanted:
        try:
            Organization._meta.get_field("slug").clean(options["slug"], None)
        except ValidationError as error:
            raise CommandError(f"--slug {options['slug']}: letters, digits, - and _, at most 48 of them.") from error
        try:
            credit = usd(options["credit"])
            to_cents(credit)
        except (NotMoney, ArithmeticError) as error:
            raise CommandError(
                f"--credit {options['credit']}: whole cents in US dollars, such as 100 or 12.50."
            ) from error
        if credit < 0:
            raise CommandError("--credit cannot be negative.")
        if not 0 <= options["history"] <= MOST_HISTORY:
            raise CommandError(f"--history is from 0 to {MOST_HISTORY} days.")
        kind = Kind(options["kind"])
        return Wanted(
            options["slug"], kind, credit, options["paid"], options["staff"], options["history"], options["promises"]
        )


def _person(email: str, now: datetime) -> User:
    person = User.objects.filter(email=email).first()
    if person is None:
        person = User.objects.create_user(email, _word("password", email), name="Demo Owner", date_joined=now)
        EmailAddress.objects.create(user=person, email=email, verified=True, primary=True)
    return person


def _organization(wanted: Wanted, owner: User, now: datetime) -> Organization:
    found = Organization.objects.filter(slug=wanted.slug).first()
    if found is None:
        name = wanted.slug.replace("-", " ").title()
        if wanted.kind == Kind.TEAM:
            founding.found_personal(owner, now)
            return founding.found_team(owner, name, now, slug=wanted.slug)
        return founding.found_personal(owner, now, slug=wanted.slug)
    if not found.memberships.filter(user=owner).exists() or found.kind != wanted.kind:
        raise CommandError(
            f"{wanted.slug} is there and is no {wanted.kind.label} demo organization. Choose another --slug."
        )
    return found


def _key(organization: Organization, owner: User, now: datetime) -> str:
    secret = keys.LABEL + _word("key", organization.slug)
    try:
        keys.create(organization, owner, demo.KEYS[0], None, None, now, once="demo", secret=secret)
    except keys.AlreadyMade as made:
        if made.key.revoked_at:
            raise CommandError(f"The demo key of {organization.slug} was revoked. Choose another --slug.") from made
    return secret


def _promote(organization: Organization, wanted: Wanted, now: datetime) -> None:
    flows.grant_promotional(
        organization.pk,
        wanted.credit,
        key=f"demo:{organization.pk}:{wanted.credit}",
        title="Demo credit",
        expires_at=now + timedelta(days=PROMOTION_DAYS),
        reason="To try the portal with",
        issued_by=None,
        now=now,
    )


def _buy(organization: Organization, owner: User, wanted: Wanted) -> None:
    """The purchase a customer would make, paid on the sandbox's page with the card that always works."""
    with local.provide_stripe() as sandbox_url:
        now = datetime.now(UTC)
        nonce = uuid5(NAMESPACE_URL, f"purser:demo:{organization.pk}:{wanted.credit}")
        try:
            intent = collecting.buy_credits(
                collecting.Order(organization.pk, to_cents(wanted.credit), nonce, owner.pk), now=now
            )
        except collecting.AmountRefused as refused:
            raise CommandError(str(refused)) from refused
        if intent.state == State.WAITING and intent.checkout_id:
            Admin.at(sandbox_url).pay(intent.checkout_id)
        flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=now), now=datetime.now(UTC))
        intent = Intent.objects.get(pk=intent.pk)
        if intent.state != State.SUCCEEDED:
            raise CommandError(f"The purchase is {intent.get_state_display().lower()}: {intent.failure_message}")


def _staff(now: datetime) -> dict[str, str]:
    person = _person(STAFF, now)
    if not person.is_superuser:
        person.is_staff = person.is_superuser = True
        person.save(update_fields=["is_staff", "is_superuser"])
    return {"staff_email": STAFF, "staff_password": _word("password", STAFF)}


def _word(purpose: str, name: str) -> str:
    """The same secret each time for the same name, and another one in every installation."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"demo {purpose} {name}".encode(), hashlib.sha256).hexdigest()
    return digest[:12] if purpose == "password" else digest[:43]
