"""What an organization has now and what it has chosen for later: what the ways to pay are held against."""

from datetime import datetime

from billing.contracts import ahead as contracts_ahead
from billing.contracts.models import RUNNING
from billing.graphs.whatif import Held, Promise
from billing.subscriptions import ahead as plans_ahead
from billing.subscriptions.models import State

WORKS = (State.ACTIVE, State.PAST_DUE)


def of(org_id: int, *, now: datetime) -> Held:
    """Plans that run, with what is scheduled for them, and contracts that run. As many queries for many as for few."""
    plans = [one for one in plans_ahead.of(org_id) if one.running.state in WORKS]
    had = frozenset(one.running.plan_id for one in plans)
    changing = [one for one in plans if one.change is not None and one.change.effective_at > now]
    soon = {one.running.plan_id for one in plans if one not in changing}
    soon |= {one.change.plan_id for one in changing if one.change is not None and one.change.plan_id is not None}
    contracts = [one for one in contracts_ahead.of(org_id) if one.contract.state in RUNNING]
    return Held(
        had,
        tuple(Promise.of(one.models, one.contract.terms) for one in contracts),
        frozenset(soon) if changing else None,
        min((one.change.effective_at for one in changing if one.change is not None), default=None),
    )
