"""The only door to an organization: who may do what there, and what belongs to it.

A view behind `/o/<slug>/` says what it takes:

    @access.requires(access.MOVE_MONEY)
    def buy(request: OrgRequest, slug: str) -> HttpResponse:
        intent = access.own(request, Intent, public_id=...)

Who is not signed in is sent to sign in; a stranger gets the 404 of an organization that does not exist; a member without
the permission gets a 403 page that says who has it. Nothing else in the project decides who may see what of whom.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.contrib.auth.views import redirect_to_login
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from orgs.models import Kind, Membership, Organization, Role, User

P = ParamSpec("P")
M = TypeVar("M", bound=Model)

LAST_ORGANIZATION = "organization"
"""Under this name the session remembers the id of the organization looked at last."""


class Permission(StrEnum):
    READ = "read"
    MOVE_MONEY = "move_money"
    MANAGE_KEYS = "manage_keys"
    MANAGE_MEMBERS = "manage_members"
    OWN = "own"


READ = Permission.READ
MOVE_MONEY = Permission.MOVE_MONEY
MANAGE_KEYS = Permission.MANAGE_KEYS
MANAGE_MEMBERS = Permission.MANAGE_MEMBERS
OWN = Permission.OWN

ALLOWED: dict[Permission, frozenset[Role]] = {
    READ: frozenset(Role),
    MOVE_MONEY: frozenset({Role.OWNER, Role.ADMIN, Role.BILLING}),
    MANAGE_KEYS: frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER}),
    # Also what the organization is called.
    MANAGE_MEMBERS: frozenset({Role.OWNER, Role.ADMIN}),
    OWN: frozenset({Role.OWNER}),
}

IN_WORDS: dict[Permission, str] = {
    READ: "See usage, balance and statements",
    MOVE_MONEY: "Buy credits, change plan, cards and auto-recharge",
    MANAGE_KEYS: "Create and revoke keys",
    MANAGE_MEMBERS: "Manage members and settings",
    OWN: "Accept contracts, make and unmake owners",
}


class OrgRequest(HttpRequest):
    """A request that came through the door. For type checkers: what a view behind `requires` may rely on."""

    user: User
    membership: Membership
    organization: Organization
    htmx: HtmxDetails


class PersonRequest(HttpRequest):
    """A request of somebody who is signed in, behind `signed_in`."""

    user: User
    membership: Membership | None
    htmx: HtmxDetails


View = Callable[Concatenate[OrgRequest, P], HttpResponseBase]
Guarded = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def allows(role: str, permission: Permission) -> bool:
    return role in ALLOWED[permission]


def requires(permission: Permission) -> Callable[[View[P]], Guarded[P]]:
    """Decorates a view that takes `slug`. The membership is one query; the organization comes with it."""

    def guard(view: View[P]) -> Guarded[P]:
        @wraps(view)
        def enter(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return sign_in_first(request)
            membership = _membership(request.user, str(kwargs["slug"]))
            if membership is None:
                raise Http404("No such organization.")
            known = cast(OrgRequest, request)
            known.membership, known.organization = membership, membership.organization
            if not allows(membership.role, permission):
                return _refuse(known, permission)
            if request.session.get(LAST_ORGANIZATION) != membership.organization_id:
                request.session[LAST_ORGANIZATION] = membership.organization_id
            return view(known, *args, **kwargs)

        # For the test that every address of an organization has a door.
        enter.permission = permission  # type: ignore[attr-defined]
        return enter

    return guard


def signed_in(view: Callable[Concatenate[PersonRequest, P], HttpResponseBase]) -> Guarded[P]:
    """Decorates a page of the person rather than of an organization. The frame shows the organization looked at last."""

    @wraps(view)
    def enter(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return sign_in_first(request)
        known = cast(PersonRequest, request)
        known.membership = last_membership(known)
        return view(known, *args, **kwargs)

    return enter


def last_membership(request: PersonRequest) -> Membership | None:
    """The organization this person looked at last, else the Personal one, else any, else None. One query."""
    mine = list(request.user.memberships.select_related("organization").order_by("id"))
    last = request.session.get(LAST_ORGANIZATION)
    mine.sort(key=lambda member: (member.organization_id != last, member.organization.kind != Kind.PERSONAL))
    return mine[0] if mine else None


def own(request: OrgRequest, kind: type[M] | QuerySet[M], **lookup: Any) -> M:
    """The one object of this organization that `lookup` names, else Http404: others' objects do not exist here."""
    rows: QuerySet[M] = kind if isinstance(kind, QuerySet) else kind._default_manager.all()
    return get_object_or_404(rows, **{_owner_field(rows.model): request.organization.pk}, **lookup)


def who_can(organization: Organization, permission: Permission) -> list[Membership]:
    """The members who have it, most power first. One query."""
    order = list(Role)
    having = organization.memberships.filter(role__in=ALLOWED[permission], user__is_active=True).select_related("user")
    return sorted(having, key=lambda member: (order.index(Role(member.role)), str(member.user)))


def sign_in_first(request: HttpRequest) -> HttpResponseBase:
    """To the sign-in page and back to this one. A form that was sent is not repeated after signing in."""
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    if htmx:
        # The fragment is no page to come back to; the page it was for is.
        page = redirect_to_login(htmx.current_url_abs_path or "/")
        return HttpResponseClientRedirect(page.headers["Location"])
    return redirect_to_login(request.get_full_path() if request.method in ("GET", "HEAD") else "/")


def _membership(user: User, slug: str) -> Membership | None:
    return Membership.objects.select_related("organization").filter(user=user, organization__slug=slug).first()


def _owner_field(model: type[Model]) -> str:
    """Every table of an organization names it in the column `org_id`, whatever the field is called."""
    for field in model._meta.concrete_fields:
        if field.column == "org_id":
            return field.attname
    raise TypeError(f"{model.__name__} belongs to no organization: it has no column org_id.")


def _refuse(request: OrgRequest, permission: Permission) -> HttpResponse:
    page = {
        "what": IN_WORDS[permission],
        "roles": [role for role in Role if role in ALLOWED[permission]],
        "people": who_can(request.organization, permission),
    }
    return render(request, "orgs/forbidden.html", page, status=403)
