"""WHAT STAFF SEE: the Django admin, one module per domain. What must not change is read-only here as it is in PostgreSQL."""

from billing.admin import (
    catalog,
    ceilings,
    contracts,
    ledger,
    metering,
    notices,
    payments,
    plans,
    reconciling,
    settlement,
    statements,
    webhooks,
)

__all__ = [
    "catalog",
    "ceilings",
    "contracts",
    "ledger",
    "metering",
    "notices",
    "payments",
    "plans",
    "reconciling",
    "settlement",
    "statements",
    "webhooks",
]
