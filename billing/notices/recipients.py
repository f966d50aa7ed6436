"""Who gets the mails of an organization: its billing address, or else its owners and billing people."""

from dataclasses import dataclass

from billing.notices import confirming
from billing.notices.models import ALWAYS, Kind, Notice, NoticeSettings
from orgs.models import Membership, Role

ROLES = (Role.OWNER, Role.BILLING)
BILLING_ADDRESS = "You get this because this is the billing address of {name}."
ASKED = "You get this because {by} wants what concerns the billing of {{name}} to go to this address."
ROLE = "You get this because you are an owner of {name}, or do its billing, and it has no billing address."


@dataclass(frozen=True, slots=True)
class Recipients:
    """`why` has a place for the organization's name. Addresses go into a mail and nowhere else: no log, no list."""

    addresses: tuple[str, ...]
    why: str


def of(notice: Notice, wishes: NoticeSettings | None) -> Recipients:
    """Two of one address get one mail. A letter that asks an address goes to that one, with the name of who asked."""
    if notice.kind == Kind.BILLING_EMAIL:
        asked = confirming.waits_for(notice, wishes)
        by = str(wishes.asked_by).replace("{", "{{").replace("}", "}}") if wishes and asked else ""
        return Recipients((asked,) if asked else (), ASKED.format(by=by))
    if wishes is not None and wishes.billing_email:
        return Recipients((wishes.billing_email,), BILLING_ADDRESS)
    people = Membership.objects.filter(organization=notice.wallet_id, role__in=ROLES, user__is_active=True)
    addresses = people.order_by("id").values_list("user__email", flat=True)
    return Recipients(tuple(dict.fromkeys(addresses)), ROLE)


def wants(notice: Notice, wishes: NoticeSettings | None) -> bool:
    """Whether it is wanted by mail. What must be known cannot be switched off; an address is asked only while it waits."""
    kind = Kind(notice.kind)
    if kind == Kind.BILLING_EMAIL:
        return bool(confirming.waits_for(notice, wishes))
    return kind in ALWAYS or wishes is None or kind not in wishes.muted
