"""`POST /api/v1/usage` as a gateway meets it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from billing.catalog.models import AIModel
from billing.metering import charging
from billing.metering.models import Gateway, RefusedUsage, UsageDelta, UsageEvent, UsageReversal
from orgs.models import ApiKey, Organization
from tests.billing.api import hostile
from tests.billing.api.conftest import Send
from tests.factories import usage
from tests.figures import Record

DOOR = "/api/v1/usage"
REVERSALS = "/api/v1/usage/reversals"


def event(key: ApiKey, at: datetime, **other: Any) -> dict[str, Any]:
    body = {
        "id": str(uuid4()), "key": key.public_id, "model": "gpt-oss-120b", "input_tokens": 1_000,
        "cached_input_tokens": 100, "output_tokens": 100, "occurred_at": at.isoformat(),
    }  # fmt: skip
    return body | other


class TestReporting:
    def test_a_batch_is_answered_event_by_event(self, post: Send, key: ApiKey, model: AIModel, now: datetime) -> None:
        good, bad = event(key, now), event(key, now, input_tokens=-1)
        answer = post(DOOR, {"events": [good, bad, good], "complete_through": now.isoformat()})
        assert answer.status_code == 200
        assert answer.json() == {
            "accepted": 1,
            "duplicate": 1,
            "refused": [
                {
                    "index": 1,
                    "id": bad["id"],
                    "reason": "invalid",
                    "detail": "Expected int >= 0, at $.events[1].input_tokens",
                    "retryable": False,
                }
            ],
        }
        assert RefusedUsage.objects.get().body == bad

    def test_cached_tokens_may_be_left_out(self, post: Send, key: ApiKey, model: AIModel, now: datetime) -> None:
        body = event(key, now)
        del body["cached_input_tokens"]
        assert post(DOOR, {"events": [body]}).json()["accepted"] == 1
        assert UsageEvent.objects.get().cached_tokens == 0

    @pytest.mark.parametrize("hours", ["+23:59", "-23:59", "+14:00", "-21:41"])
    def test_a_time_may_be_told_in_any_zone(
        self, post: Send, key: ApiKey, model: AIModel, now: datetime, hours: str
    ) -> None:
        """PostgreSQL itself takes offsets of less than 16 hours only."""
        there = now.astimezone(datetime.fromisoformat(f"2026-01-01T00:00:00{hours}").tzinfo).isoformat()
        answer = post(DOOR, {"events": [event(key, now, occurred_at=there)], "complete_through": there})
        assert answer.json()["accepted"] == 1
        assert Gateway.objects.get().complete_through == now
        assert UsageEvent.objects.get().occurred_at == now

    @pytest.mark.parametrize("instant", ["0577-04-03T00:28:07.7-21:41", "0001-01-01T00:00:00+23:59"])
    def test_a_time_long_past_is_no_error_of_ours(
        self, post: Send, key: ApiKey, model: AIModel, now: datetime, instant: str
    ) -> None:
        answer = post(DOOR, {"events": [event(key, now, occurred_at=instant)]})
        assert answer.json()["refused"][0]["reason"] == "too_old"
        assert post(DOOR, {"events": [], "complete_through": instant}).status_code in (200, 400)

    def test_refused_is_200_too(self, post: Send, key: ApiKey, model: AIModel, now: datetime) -> None:
        answer = post(DOOR, {"events": [event(key, now, model="nope")]})
        assert (answer.status_code, answer.json()["refused"][0]["reason"]) == (200, "unknown_model")

    def test_a_secret_in_a_wrong_event_is_not_kept_either(self, post: Send, model: AIModel, now: datetime) -> None:
        secret = "sk-purser-" + "s3cret" * 7
        wrong = [
            {"key": secret, "model": 1},
            {"key": ["a", secret], secret: secret},
            {"id": secret, "key": secret},
            {"key": "other-vendor-secret-0123456789", "model": None},
        ]
        answer = post(DOOR, {"events": wrong})
        assert [refusal["reason"] for refusal in answer.json()["refused"]] == [
            "raw_key",
            "invalid",
            "raw_key",
            "invalid",
        ]
        kept = json.dumps([[row.body, row.detail, row.event_id] for row in RefusedUsage.objects.all()])
        assert RefusedUsage.objects.count() == 4
        for text in (kept, answer.content.decode()):
            assert "s3cret" not in text
            assert "secret-0123456789" not in text

    def test_10_000_events_are_the_most(self, post: Send, key: ApiKey, model: AIModel, now: datetime) -> None:
        tiny: list[Any] = [{}] * 10_000
        assert len(post(DOOR, {"events": tiny}).json()["refused"]) == 10_000
        answer = post(DOOR, {"events": [*tiny, {}]})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_events")
        assert post(DOOR, {"events": [event(key, now)] * 10_001}).status_code == 413

    def test_the_future_is_not_complete(self, post: Send, gateway: Gateway, now: datetime) -> None:
        answer = post(DOOR, {"events": [], "complete_through": (now + timedelta(minutes=6)).isoformat()})
        assert (answer.status_code, answer.json()["error"]["at"]) == (400, "$.complete_through")
        gateway.refresh_from_db()
        assert gateway.complete_through is None


GOOD = event(ApiKey(public_id="key_00000000000000aa"), datetime.now(UTC))
IN_ONE_EVENT = list(
    hostile.fields(
        GOOD,
        numbers=("input_tokens", "cached_input_tokens", "output_tokens"),
        texts=("id", "key", "model"),
        times=("occurred_at",),
    )
)
NOT_INVALID = {
    **{f"{name}={text}": reason for name, reason in (("key", "unknown_key"), ("model", "unknown_key"))
       for text in ('"\\u0000"', '"a\\u0000b"', '"\\ud83d\\ude00"')},
    "no cached_input_tokens": "unknown_key",
    'occurred_at="0001-01-01T00:00:00+14:': "too_old",
    'occurred_at="9999-12-31T23:59:59-14:': "in_future",
}  # fmt: skip
"""The few hostile values that are well-formed all the same; the key of GOOD is nobody's."""
REFUSED = (400, 413, 415)
DOCUMENTS = list(hostile.documents())
AROUND_EVENTS = list(
    hostile.fields({"events": []}, numbers=("events",), texts=("events",), times=("complete_through",))
)


@pytest.mark.money
class TestHostileBodies:
    """Nothing is coerced, nothing is a 5xx, and what is wrong with one event is no matter of its neighbours."""

    def test_a_body_that_is_no_batch_is_refused_whole(self, post: Send, model: AIModel, figures: Record) -> None:
        fallen_for = {}
        for name, raw, headers in DOCUMENTS:
            answer = post(DOOR, raw, **headers)
            if answer.status_code not in REFUSED or not answer.json()["error"]["detail"]:
                fallen_for[name] = (answer.status_code, answer.content)
        assert fallen_for == {}
        assert not RefusedUsage.objects.exists()
        figures("hostile", inputs=len(DOCUMENTS), server_errors=0, coerced=0)

    def test_a_batch_of_a_wrong_shape_is_refused_whole(self, post: Send, model: AIModel, figures: Record) -> None:
        fallen_for = {}
        for name, text in AROUND_EVENTS:
            answer = post(DOOR, text.encode("utf-8", "surrogatepass"))
            if answer.status_code not in REFUSED or not answer.json()["error"]["detail"]:
                fallen_for[name] = answer.status_code
        # An empty list of events is a heartbeat.
        assert fallen_for == {"events=[]": 200}
        figures("hostile", inputs=len(AROUND_EVENTS), server_errors=0, coerced=0)

    @pytest.mark.parametrize("field", [*GOOD, "an unknown field"])
    def test_one_wrong_event_is_refused_alone_unless_the_document_itself_is_broken(
        self, post: Send, key: ApiKey, model: AIModel, now: datetime, field: str, figures: Record
    ) -> None:
        cases = [
            (name, text)
            for name, text in IN_ONE_EVENT
            if field in (name, name.split("=")[0], *name.split(", ")[0].split())
        ]
        assert cases
        for name, text in cases:
            neighbour = event(key, now)
            sent = f'{{"events": [{json.dumps(neighbour)}, {text}]}}'
            answer = post(DOOR, sent.encode("utf-8", "surrogatepass"))
            accepted = UsageEvent.objects.filter(id=neighbour["id"]).exists()
            if not is_plain(text):
                assert (answer.status_code, accepted) == (400, False), name
                assert answer.json()["error"]["detail"], name
                continue
            assert (answer.status_code, accepted) == (200, True), name
            (refused,) = answer.json()["refused"]
            assert (refused["reason"], refused["index"]) == (NOT_INVALID.get(name, "invalid"), 1), name
        figures("hostile", inputs=len(cases), server_errors=0, coerced=0)


def is_plain(text: str) -> bool:
    """Whether every reader of JSON reads the same in this text."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    def never(constant: str) -> None:
        raise AssertionError(constant)

    try:
        json.dumps(
            json.loads(text, object_pairs_hook=once, parse_constant=never, parse_int=str), ensure_ascii=False
        ).encode()
    except (ValueError, AssertionError):
        return False
    return True


WRONG_REVERSALS = hostile.fields(
    {"id": str(uuid4()), "event_id": str(uuid4()), "reason": "why"},
    numbers=("id", "reason"),
    texts=("id", "event_id", "reason"),
    times=("event_id",),
)
AROUND_REVERSALS: list[hostile.Case] = [
    *((name, text.encode("utf-8", "surrogatepass"), {}) for name, text in WRONG_REVERSALS),
    *DOCUMENTS,
]


class TestReversing:
    def test_an_event_is_taken_back_once(
        self, post: Send, key: ApiKey, acme: Organization, model: AIModel, now: datetime
    ) -> None:
        usage.bought(acme, "10", now=now)
        body = event(key, now)
        post(DOOR, {"events": [body]})
        charging.sweep(now=now)
        ask = {"id": str(uuid4()), "event_id": body["id"], "reason": "the request was a test"}
        first, again = post(REVERSALS, ask), post(REVERSALS, ask)
        assert first.status_code == again.status_code == 200
        assert first.json() == {"id": ask["id"], "event_id": body["id"], "cost_usd": "0.000425", "duplicate": False}
        assert again.json() == first.json() | {"duplicate": True}
        assert UsageReversal.objects.count() == 1

        other = post(REVERSALS, ask | {"reason": "another"})
        assert (other.status_code, other.json()["error"]["code"]) == (409, "id_conflict")
        second = post(REVERSALS, ask | {"id": str(uuid4())})
        assert (second.status_code, second.json()["error"]["code"]) == (409, "already_reversed")

    def test_what_never_came_cannot_be_taken_back(self, post: Send, model: AIModel, now: datetime) -> None:
        for id_ in (uuid4(), usage.v7(now), "ffffffff-ffff-7fff-bfff-ffffffffffff"):
            answer = post(REVERSALS, {"id": str(uuid4()), "event_id": str(id_), "reason": "r"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_event")

    @pytest.mark.money
    def test_hostile_bodies(self, post: Send, figures: Record) -> None:
        fallen_for = {}
        for name, raw, headers in AROUND_REVERSALS:
            answer = post(REVERSALS, raw, **headers)
            if answer.status_code not in REFUSED or not answer.json()["error"]["detail"]:
                fallen_for[name] = answer.status_code
        # These are plain words, good enough for a reason: then it is only the event that nobody knows.
        assert fallen_for == {'reason="1"': 404, 'reason="\\ud83d\\ude00"': 404}
        assert not UsageReversal.objects.exists()
        figures("hostile", inputs=len(AROUND_REVERSALS), server_errors=0, coerced=0)


def test_deltas_wait_for_the_sweep(post: Send, key: ApiKey, model: AIModel, now: datetime) -> None:
    post(DOOR, {"events": [event(key, now)]})
    assert UsageDelta.objects.count() == 1
