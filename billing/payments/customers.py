"""The organization as Stripe's customer: made with the first page at Stripe that it opens."""

from datetime import datetime
from uuid import UUID

from billing.payments import gateway
from billing.payments.models import Customer
from orgs.models import Organization


def at_stripe(organization: Organization, email: str, *, cause: UUID, now: datetime) -> str:
    """The id of its customer there. Of two made at once the first one stays. Raises as the gateway does.

    Its key names what it is made for, and changes with the minute, so that an error Stripe remembers does not stand in the
    way for a day: a customer too many costs nothing.
    """
    known = Customer.objects.filter(wallet_id=organization.pk).first()
    if known is not None:
        return known.stripe_id
    new = gateway.NewCustomer(organization.pk, organization.name, email)
    stripe_id = gateway.create_customer(new, key=f"{cause}:customer:{now:%d%H%M}")
    customer, _ = Customer.objects.get_or_create(wallet_id=organization.pk, defaults={"stripe_id": stripe_id})
    return customer.stripe_id
