"""How organizations come to be: with their owner, in one transaction, under an address nobody else has.

What else every organization has from its first moment (a wallet) the database makes with it.
"""

import secrets
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from orgs.models import Kind, Membership, Organization, Role, User

NAME_LENGTH = 80
SLUG_LENGTH = 40
SUFFIX_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
ATTEMPTS = 8
DOUBLE_CLICK = timedelta(seconds=10)


class SlugTaken(ValueError):
    """The address asked for belongs to another organization."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"The address /o/{slug}/ is taken. Choose another one.")


def found_personal(user: User, now: datetime, *, slug: str | None = None) -> Organization:
    """The Personal organization of a person, who has exactly one: asked again, the one there is."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if existing := personal_of(user):
            return existing
        name = user.name or user.email.partition("@")[0]
        return _found(Kind.PERSONAL, user, _tidy(name), now, slug)


def found_team(user: User, name: str, now: datetime, *, slug: str | None = None) -> Organization:
    """A Team owned by this person. A slug that is given is taken as it is (`SlugTaken`), else one is made of the name.

    The same name again within ten seconds is a form sent twice: the answer is the Team of the first.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        name = _tidy(name)
        just_now = Organization.objects.filter(
            kind=Kind.TEAM,
            name=name,
            created_at__gt=now - DOUBLE_CLICK,
            created_at__lte=now,
            memberships__user=user,
            memberships__role=Role.OWNER,
        )
        return just_now.first() or _found(Kind.TEAM, user, name, now, slug)


def personal_of(user: User) -> Organization | None:
    return Organization.objects.filter(kind=Kind.PERSONAL, memberships__user=user, memberships__role=Role.OWNER).first()


def _found(kind: Kind, owner: User, name: str, now: datetime, slug: str | None) -> Organization:
    organization = _with_slug(kind, name, now, slug) if slug else _with_free_slug(kind, name, now)
    Membership.objects.create(organization=organization, user=owner, role=Role.OWNER, created_at=now)
    return organization


def _tidy(name: str) -> str:
    return " ".join(name.split())[:NAME_LENGTH]


def _with_slug(kind: Kind, name: str, now: datetime, slug: str) -> Organization:
    try:
        # A savepoint: the caller's transaction survives a rival who took the slug a moment ago.
        with transaction.atomic():
            return Organization.objects.create(kind=kind, slug=slug, name=name, created_at=now)
    except IntegrityError as error:
        if not Organization.objects.filter(slug=slug).exists():
            raise
        raise SlugTaken(slug) from error


def _with_free_slug(kind: Kind, name: str, now: datetime) -> Organization:
    base = slugify(name)[:SLUG_LENGTH].strip("-_") or kind.value
    slug = base
    for _attempt in range(ATTEMPTS):
        try:
            return _with_slug(kind, name, now, slug)
        except SlugTaken:
            slug = f"{base}-{''.join(secrets.choice(SUFFIX_ALPHABET) for _ in range(5))}"
    raise SlugTaken(base)
