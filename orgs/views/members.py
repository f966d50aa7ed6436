"""Who belongs to the organization and what each may do there."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orgs import access, memberships
from orgs.access import OrgRequest
from orgs.forms import RoleForm
from orgs.memberships import MembershipRefused
from orgs.models import Membership, Role


@dataclass(frozen=True)
class Row:
    """A member on the page. `form` is None for who may not be changed from here."""

    member: Membership
    is_me: bool
    is_only_owner: bool
    form: RoleForm | None


@require_safe
@access.requires(access.READ)
def members(request: OrgRequest, slug: str) -> HttpResponse:
    page = {
        "rows": _rows(request.membership),
        "roles": list(Role),
        "permissions": [
            (access.IN_WORDS[permission], [access.allows(role, permission) for role in Role])
            for permission in access.Permission
        ],
    }
    return render(request, "orgs/members.html", page)


@require_POST
@access.requires(access.MANAGE_MEMBERS)
def change_role(request: OrgRequest, slug: str, pk: int) -> HttpResponse:
    member = access.own(request, Membership.objects.select_related("user"), pk=pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose one of the roles below.")
        return redirect("orgs:members", slug=slug)
    role = Role(form.cleaned_data["role"])
    try:
        memberships.change_role(member, role, by=request.membership)
    except MembershipRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{member.user} is now: {role.label}.")
    return redirect("orgs:members", slug=slug)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(access.MANAGE_MEMBERS)
def remove(request: OrgRequest, slug: str, pk: int) -> HttpResponse:
    member = access.own(request, Membership.objects.select_related("user"), pk=pk)
    if member.pk == request.membership.pk:
        return redirect("orgs:leave", slug=slug)
    if request.method != "POST":
        return render(request, "orgs/remove_member.html", {"member": member})
    try:
        memberships.remove(member, by=request.membership)
    except MembershipRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{member.user} is no longer a member of {request.organization.name}.")
    return redirect("orgs:members", slug=slug)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(access.READ)
def leave(request: OrgRequest, slug: str) -> HttpResponse:
    if request.method != "POST":
        return render(request, "orgs/leave.html")
    try:
        memberships.leave(request.membership)
    except MembershipRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("orgs:members", slug=slug)
    messages.success(request, f"You have left {request.organization.name}.")
    return redirect("home")


def _rows(me: Membership) -> list[Row]:
    """Most power first. One query."""
    order = list(Role)
    everybody = sorted(
        me.organization.memberships.select_related("user"),
        key=lambda member: (order.index(Role(member.role)), str(member.user).casefold()),
    )
    owners = sum(member.role == Role.OWNER for member in everybody)
    return [
        Row(
            member,
            is_me=member.pk == me.pk,
            is_only_owner=member.role == Role.OWNER and owners == 1,
            form=_role_form(member, me) if not (member.role == Role.OWNER and owners == 1) else None,
        )
        for member in everybody
    ]


def _role_form(member: Membership, me: Membership) -> RoleForm | None:
    """Owners are made and changed by owners; nobody changes anything without the permission to."""
    i_own = access.allows(me.role, access.OWN)
    if not access.allows(me.role, access.MANAGE_MEMBERS) or (member.role == Role.OWNER and not i_own):
        return None
    form = RoleForm(instance=member, auto_id=f"role-{member.pk}-%s")
    form.fields["role"].widget.attrs.update({"aria-label": f"Role of {member.user}", "class": "w-36"})
    if not i_own:
        form.fields["role"].choices = [choice for choice in Role.choices if choice[0] != Role.OWNER]  # type: ignore[attr-defined]
    return form
