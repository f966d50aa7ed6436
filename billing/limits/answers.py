"""What is told about a key: the values that leave through the API as they stand here."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

Instant = Annotated[datetime, Meta(tz=True)]


class Reason(StrEnum):
    """Why not. Machines switch on it; the `remedy` beside it says it to people."""

    UNKNOWN_KEY = "unknown_key"
    KEY_REVOKED = "key_revoked"
    KEY_EXPIRED = "key_expired"
    MODEL_RETIRED = "model_retired"
    NOT_OFFERED = "not_offered"
    PAYMENT_DISPUTED = "payment_disputed"
    SETTLEMENT_UNPAID = "settlement_unpaid"
    CONTRACT_PAST_DUE = "contract_past_due"
    CONTRACT_OVERAGE_LIMIT = "contract_overage_limit"
    NO_CREDIT = "no_credit"
    KEY_CAP = "key_cap"
    DAILY_ALLOWANCE = "daily_allowance"
    PLAN_PAST_DUE = "plan_past_due"
    PLAN_DISPUTED = "plan_disputed"


STATUS: dict[Reason, Literal[401, 402, 403, 429]] = {
    Reason.UNKNOWN_KEY: 401,
    Reason.KEY_REVOKED: 401,
    Reason.KEY_EXPIRED: 401,
    Reason.MODEL_RETIRED: 403,
    Reason.NOT_OFFERED: 403,
    Reason.PAYMENT_DISPUTED: 402,
    Reason.SETTLEMENT_UNPAID: 402,
    Reason.CONTRACT_PAST_DUE: 402,
    Reason.CONTRACT_OVERAGE_LIMIT: 402,
    Reason.NO_CREDIT: 402,
    Reason.KEY_CAP: 402,
    Reason.DAILY_ALLOWANCE: 429,
    Reason.PLAN_PAST_DUE: 402,
    Reason.PLAN_DISPUTED: 402,
}
"""401 the key; 402 wherever money is the cause; 403 the model; 429 only a real limit."""


class Limits(Struct, frozen=True):
    """How much may be let through per UTC minute, hour and day. null: that window is not limited. All 0: nothing."""

    requests_per_minute: int | None = None
    requests_per_hour: int | None = None
    requests_per_day: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_hour: int | None = None
    tokens_per_day: int | None = None


NOTHING = Limits(0, 0, 0, 0, 0, 0)


class Allowance(Struct, frozen=True):
    """A plan's tokens for one UTC day: how many, how many are used, when the count starts again."""

    limit: int
    used: int
    reset_at: Instant


class ModelAnswer(Struct, frozen=True):
    """One model. Anything but http_status 200 comes with limits of 0, a reason and a remedy in words."""

    model: str
    http_status: Literal[200, 402, 403, 429]
    limits: Limits
    tier: Annotated[str | None, Meta(description="free, payg, plan:<slug>, contract, marketplace; null: refused")] = (
        None
    )
    payer: Annotated[
        str | None, Meta(description="free, credits, subscription, contract, marketplace; null: refused")
    ] = None
    reason: Reason | None = None
    remedy: Annotated[str | None, Meta(description="What would help, in words for the key's holder")] = None
    allowance: Allowance | None = None
    ends_at: Annotated[Instant | None, Meta(description="From this instant on the model is refused")] = None


class Answer(Struct, frozen=True):
    """What one key may do. `version` moves only when the answer does.

    Serve it until `valid_until`. While Purser cannot be reached, serve models with http_status 200 until `stale_until`.
    """

    key: str
    version: int
    http_status: Literal[200, 401]
    valid_until: Instant
    stale_until: Instant
    max_age: Annotated[int, Meta(description="Seconds from now to valid_until, rounded down")]
    models: list[ModelAnswer]
    reason: Reason | None = None
    remedy: str | None = None
