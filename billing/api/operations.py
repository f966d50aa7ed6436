"""What the JSON doors are: one entry each, with what goes in, what comes out, and an example of both."""

from dataclasses import dataclass
from typing import Any, Literal

from billing.api import limits, usage
from billing.limits import answers, feed

USAGE = "Usage in"
LIMITS = "Limits out"

GROUPS_SAID = {
    USAGE: "Gateways report what was served.",
    LIMITS: "Gateways, and customers themselves, ask what a key may do.",
}

GATEWAY = "gatewayToken"
KEY = "apiKey"

UNREADABLE = "The body or the address is not what the door takes. `at` is the place."
UNAUTHORIZED = "`unauthorized`: the bearer token is missing, unknown, expired or revoked."
NO_KEY = "`unknown_key`, `key_revoked`, `key_expired`: answer 401 to the key's holder; `unauthorized`: your own token."
AWAY = "`unavailable`: the database is away. Nothing was stored; send the same again."
TOO_OFTEN = "`too_many_requests`: more calls than the door takes. Nothing was stored; wait `Retry-After` seconds."
TOO_LARGE = "More than 5 MB after decompression, or more than 10,000 events."
NOT_JSON = "The body is not `application/json` in UTF-8, or is encoded with something other than gzip."


@dataclass(frozen=True)
class Parameter:
    """One parameter of an address. `schema` as in JSON Schema."""

    name: str
    description: str
    schema: dict[str, Any]
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """One door. `errors`: status -> what it means."""

    id: str
    group: str
    method: Literal["get", "post"]
    path: str
    summary: str
    description: str
    security: str
    answer: type
    answer_example: dict[str, Any]
    errors: dict[int, str]
    body: type | None = None
    body_example: dict[str, Any] | None = None
    parameters: tuple[Parameter, ...] = ()


NO_LIMIT = dict.fromkeys(
    [f"{what}_per_{window}" for what in ("requests", "tokens") for window in ("minute", "hour", "day")]
)
GIVEN = {
    "model": "gpt-oss-120b",
    "http_status": 200,
    "limits": NO_LIMIT | {"requests_per_minute": 1_000, "tokens_per_minute": 1_000_000},
    "tier": "payg",
    "payer": "credits",
    "reason": None,
    "remedy": None,
    "allowance": None,
    "ends_at": None,
}
REFUSED = GIVEN | {
    "http_status": 402,
    "limits": dict.fromkeys(NO_LIMIT, 0),
    "tier": None,
    "payer": None,
    "reason": "no_credit",
    "remedy": "This key belongs to Acme Labs, which has no credit. "
    "Buy credit for Acme Labs: requests work again within 10 seconds of the payment.",
}
ANSWER = {
    "key": "key_7f2c9d1e0b3aa81c",
    "version": 48_211,
    "http_status": 200,
    "valid_until": "2026-04-14T12:41:17Z",
    "stale_until": "2026-04-14T12:46:07Z",
    "max_age": 10,
    "models": [GIVEN],
    "reason": None,
    "remedy": None,
}
EVENT = {
    "id": "0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f",
    "key": "key_7f2c9d1e0b3aa81c",
    "model": "gpt-oss-120b",
    "input_tokens": 4_808,
    "cached_input_tokens": 4_096,
    "output_tokens": 10,
    "occurred_at": "2026-04-14T12:41:06.412Z",
}
USAGE_ERRORS = {400: UNREADABLE, 401: UNAUTHORIZED, 413: TOO_LARGE, 415: NOT_JSON, 429: TOO_OFTEN, 503: AWAY}

OPERATIONS = (
    Operation(
        id="report_usage",
        group=USAGE,
        method="post",
        path="/api/v1/usage",
        summary="Report usage",
        description="A batch of events, up to 10,000 or 5 MB, gzip if you like. An empty batch is a heartbeat: send one at "
        "least every 30 seconds. 200 means that the batch is stored; one refused event does not refuse its neighbours, and "
        "a refused event is never to be sent again. An event counts once, however often it is sent.",
        security=GATEWAY,
        body=usage.Report,
        body_example={"events": [EVENT], "complete_through": "2026-04-14T12:41:07Z"},
        answer=usage.Answer,
        answer_example={"accepted": 1, "duplicate": 0, "refused": []},
        errors=USAGE_ERRORS,
    ),
    Operation(
        id="reverse_usage",
        group=USAGE,
        method="post",
        path="/api/v1/usage/reversals",
        summary="Take an event back",
        description="Reverses one event whole, once, at its original price.",
        security=GATEWAY,
        body=usage.ReversalAsk,
        body_example={
            "id": "0196340d-0c55-7d11-8e2f-1a2b3c4d5e6f",
            "event_id": EVENT["id"],
            "reason": "The request failed after it was counted",
        },
        answer=usage.ReversalAnswer,
        answer_example={
            "id": "0196340d-0c55-7d11-8e2f-1a2b3c4d5e6f",
            "event_id": EVENT["id"],
            "cost_usd": "0.0016903",
            "duplicate": False,
        },
        errors=USAGE_ERRORS
        | {
            404: "`unknown_event`: no event with this id is stored.",
            409: "The event was reversed before, or the id was used for another reversal.",
        },
    ),
    Operation(
        id="resolve_limits",
        group=LIMITS,
        method="post",
        path="/api/v1/limits/resolve",
        summary="What may this key do?",
        description="The only way in for a key. Send the SHA-256 of the whole key as your client gave it to you; the key "
        "itself never leaves the gateway. The answer names the key by its public id: use that in usage events.",
        security=GATEWAY,
        body=limits.ResolveBody,
        body_example={"key_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
        answer=answers.Answer,
        answer_example=ANSWER,
        errors={400: UNREADABLE, 401: NO_KEY, 413: TOO_LARGE, 415: NOT_JSON, 429: TOO_OFTEN, 503: AWAY},
    ),
    Operation(
        id="refresh_limits",
        group=LIMITS,
        method="get",
        path="/api/v1/limits",
        summary="The answer again",
        description="For a key that this gateway has resolved. A public id stands in pages and logs and opens nothing: for "
        "any other key, known or not, the answer is 403 `resolve_first`.",
        security=GATEWAY,
        parameters=(
            Parameter("key", "Public id", {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,24}$"}, required=True),
        ),
        answer=answers.Answer,
        answer_example=ANSWER | {"models": [REFUSED]},
        errors={
            400: UNREADABLE,
            401: NO_KEY,
            403: "`resolve_first`: this gateway has not resolved that key.",
            429: TOO_OFTEN,
            503: AWAY,
        },
    ),
    Operation(
        id="limits_changes",
        group=LIMITS,
        method="get",
        path="/api/v1/limits/changes",
        summary="What changed since",
        description="The keys this gateway has resolved whose answer changed after the cursor: at least once, newest state "
        "only, each with its full answer. Begin without a cursor: the answer holds one and no changes. Ask again at once "
        "while `more` is true. When `everything_changed` is true the catalog changed: drop every kept answer.",
        security=GATEWAY,
        parameters=(
            Parameter("since", "The cursor of the last answer", {"type": "string", "maxLength": 200}),
            Parameter(
                "limit",
                "Most keys in one answer",
                {"type": "integer", "minimum": 1, "maximum": feed.PAGE, "default": 500},
            ),
        ),
        answer=limits.Changes,
        answer_example={
            "changes": [ANSWER],
            "cursor": "NDgyMTEuNDYxMTY4NjAxODQyNzM4NzkwNC4xNzc2MTcwNDY3",
            "more": False,
            "everything_changed": False,
        },
        errors={
            400: UNREADABLE,
            401: UNAUTHORIZED,
            410: "`cursor_expired`: older than 24 hours. Drop all kept answers and begin without a cursor.",
            429: TOO_OFTEN,
            503: AWAY,
        },
    ),
    Operation(
        id="my_limits",
        group=LIMITS,
        method="get",
        path="/api/v1/limits/me",
        summary="What may my key do?",
        description="For customers: the bearer token is the API key itself.",
        security=KEY,
        answer=answers.Answer,
        answer_example=ANSWER,
        errors={
            400: UNREADABLE,
            401: "`unknown_key`, `key_revoked`, `key_expired`, or `unauthorized` without a bearer token.",
            429: TOO_OFTEN,
            503: AWAY,
        },
    ),
)
