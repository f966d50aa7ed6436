"""People, organizations and keys, made through the same doors as everywhere else."""

from datetime import datetime
from decimal import Decimal

from allauth.account.models import EmailAddress
from django.test import Client
from django.utils import timezone

from orgs import founding, keys
from orgs.keys import NewKey
from orgs.models import Membership, Organization, Role, User

PASSWORD = "correct horse battery staple"


def person(email: str, name: str = "", *, now: datetime | None = None) -> User:
    """Somebody who has signed up and verified the address: with a Personal organization and PASSWORD."""
    user = User.objects.create_user(email, PASSWORD, name=name)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    founding.found_personal(user, now or timezone.now())
    return user


def personal(user: User) -> Organization:
    organization = founding.personal_of(user)
    assert organization is not None
    return organization


def team(owner: User, name: str, *, slug: str | None = None, now: datetime | None = None) -> Organization:
    return founding.found_team(owner, name, now or timezone.now(), slug=slug)


def member(organization: Organization, user: User, role: str = Role.DEVELOPER) -> Membership:
    return Membership.objects.create(organization=organization, user=user, role=role)


def key(
    organization: Organization,
    name: str = "ci",
    *,
    user: User | None = None,
    expires_at: datetime | None = None,
    cap_usd: Decimal | None = None,
    now: datetime | None = None,
) -> NewKey:
    return keys.create(organization, user, name, expires_at, cap_usd, now or timezone.now())


def signed_in(user: User) -> Client:
    """A browser in which this person is signed in."""
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client
