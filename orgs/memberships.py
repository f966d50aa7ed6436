"""Who belongs to an organization: changing roles, removing members, leaving.

Each change locks the organization and looks again at who asks and who is meant: what a page showed may be over. That an
organization keeps an owner the database sees to as well (trigger `membership_keeps_an_owner`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from orgs import access
from orgs.models import Membership, Organization, Role


class MembershipRefused(ValueError):
    """Nothing was changed. The message is for the person who asked."""


class LastOwner(MembershipRefused):
    def __init__(self, organization: Organization) -> None:
        super().__init__(f"{organization.name} keeps at least one owner. Make another member an owner first.")


class OwnersOnly(MembershipRefused):
    def __init__(self) -> None:
        super().__init__("Only an owner makes, changes or removes an owner.")


class NoLongerMember(MembershipRefused):
    def __init__(self) -> None:
        super().__init__("That member has left in the meantime.")


class NotAllowed(MembershipRefused):
    def __init__(self) -> None:
        super().__init__("Your role no longer lets you manage members.")


def change_role(member: Membership, role: Role, by: Membership) -> None:
    """Raises LastOwner, OwnersOnly, NoLongerMember, NotAllowed."""
    with _settled(member, by) as (member, by):
        _must_manage(by)
        if Role.OWNER in (member.role, role) and member.role != role:
            _must_own(by)
        if role != Role.OWNER:
            _must_leave_an_owner(member)
        member.role = role
        member.save(update_fields=["role"])


def remove(member: Membership, by: Membership) -> None:
    """Another member is out at once; keys they made stay. Raises LastOwner, OwnersOnly, NoLongerMember, NotAllowed."""
    with _settled(member, by) as (member, by):
        _must_manage(by)
        if member.role == Role.OWNER:
            _must_own(by)
        _must_leave_an_owner(member)
        member.delete()


def leave(member: Membership) -> None:
    """Everybody may leave but the last owner. Raises LastOwner, NoLongerMember."""
    with _settled(member, member) as (member, _):
        _must_leave_an_owner(member)
        member.delete()


@contextmanager
def _settled(member: Membership, by: Membership) -> Iterator[tuple[Membership, Membership]]:
    """Both as they are now, with nobody else changing members of this organization."""
    with transaction.atomic():
        Organization.objects.select_for_update(no_key=True).get(pk=member.organization_id)
        rows = Membership.objects.filter(organization_id=member.organization_id).select_related("organization", "user")
        now_there = rows.in_bulk([member.pk, by.pk])
        if by.pk not in now_there and by.pk != member.pk:
            raise NotAllowed
        if member.pk not in now_there:
            raise NoLongerMember
        yield now_there[member.pk], now_there[by.pk]


def _must_manage(by: Membership) -> None:
    if not access.allows(by.role, access.MANAGE_MEMBERS):
        raise NotAllowed


def _must_own(by: Membership) -> None:
    if not access.allows(by.role, access.OWN):
        raise OwnersOnly


def _must_leave_an_owner(member: Membership) -> None:
    """Unless somebody else owns it too. The trigger would let the only member go; here nobody leaves an orphan."""
    if member.role != Role.OWNER:
        return
    others = Membership.objects.filter(organization_id=member.organization_id, role=Role.OWNER).exclude(pk=member.pk)
    if not others.exists():
        raise LastOwner(member.organization)
