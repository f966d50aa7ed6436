"""Who gets the mails of an organization: its billing address, or else its owners and billing people."""

from dataclasses import dataclass

from billing.notices.models import ALWAYS, Kind, NoticeSettings
from orgs.models import Membership, Role

ROLES = (Role.OWNER, Role.BILLING)
BILLING_ADDRESS = "You get this because this is the billing address of {name}."
ROLE = "You get this because you are an owner of {name}, or do its billing, and it has no billing address."


@dataclass(frozen=True, slots=True)
class Recipients:
    """`why` has a place for the organization's name. Addresses go into a mail and nowhere else: no log, no list."""

    addresses: tuple[str, ...]
    why: str


def of(org_id: int, wishes: NoticeSettings | None) -> Recipients:
    """Two of one address get one mail."""
    if wishes is not None and wishes.billing_email:
        return Recipients((wishes.billing_email,), BILLING_ADDRESS)
    people = Membership.objects.filter(organization=org_id, role__in=ROLES, user__is_active=True)
    addresses = people.order_by("id").values_list("user__email", flat=True)
    return Recipients(tuple(dict.fromkeys(addresses)), ROLE)


def wants(kind: Kind, wishes: NoticeSettings | None) -> bool:
    """Whether this kind is wanted by mail. What must be known cannot be switched off."""
    return kind in ALWAYS or wishes is None or kind not in wishes.muted
