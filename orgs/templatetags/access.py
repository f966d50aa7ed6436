"""Permissions in templates, to hide what would be refused: `{% if membership|may:"move_money" %}`.

Hiding is a courtesy. The view behind the link says the same with `access.requires`.
"""

from django import template

from orgs import access
from orgs.models import Membership

register = template.Library()


@register.filter
def may(membership: Membership, permission: str) -> bool:
    """Whether this member may. A permission that does not exist is an error, not a no."""
    return access.allows(membership.role, access.Permission(permission))
