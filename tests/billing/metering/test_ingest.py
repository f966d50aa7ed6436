"""What becomes of an event: accepted once, found again, or refused for a stated reason and kept."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from billing.catalog.models import AIModel
from billing.coverage import base
from billing.coverage.models import Coverage, Payer, PayerBase
from billing.metering import ingest, partitions
from billing.metering.events import Batch, Event, Reason, Receipt
from billing.metering.models import Gateway, RefusedUsage, UsageDelta, UsageEvent, UsageSeen
from orgs import keys
from orgs.models import ApiKey, Organization
from tests.billing.metering.conftest import NOW
from tests.factories import catalog, usage
from tests.factories import orgs as people

pytestmark = pytest.mark.django_db


@pytest.fixture
def report(gateway: Gateway) -> Any:
    def send(*events: Event, now: datetime = NOW) -> Receipt:
        return ingest.ingest(usage.batch(*events), gateway_id=gateway.pk, now=now)

    return send


def reasons(receipt: Receipt) -> list[Reason]:
    return [refusal.reason for refusal in receipt.refused]


class TestAccepting:
    def test_events_are_stored_as_they_occurred_and_summed_by_minute(
        self, report: Any, key: ApiKey, model: AIModel
    ) -> None:
        first, second = (
            usage.event(key.public_id, NOW - timedelta(seconds=s), cached_input_tokens=400) for s in (1, 2)
        )
        assert report(first, second) == Receipt(2, 0, [])

        stored = UsageEvent.objects.get(id=first.id)
        assert (stored.ts, stored.occurred_at, stored.accepted_at) == (first.occurred_at, first.occurred_at, NOW)
        assert (stored.input_tokens, stored.cached_tokens, stored.output_tokens) == (1_000, 400, 100)
        assert (stored.key_id, stored.org_id, stored.model_id) == (key.pk, key.organization_id, model.pk)
        assert stored.price_id == model.prices.get().pk
        delta = UsageDelta.objects.get()
        assert (delta.events, delta.input_tokens, delta.cached_tokens, delta.output_tokens) == (2, 2_000, 800, 200)
        assert delta.minute == NOW.replace(second=0)

    def test_an_event_may_be_older_than_its_key_and_its_organization(
        self, report: Any, key: ApiKey, model: AIModel
    ) -> None:
        assert report(usage.event(key.public_id, NOW - timedelta(days=34))).accepted == 1

    def test_an_event_without_tokens_counts_as_a_request(self, report: Any, key: ApiKey, model: AIModel) -> None:
        assert report(usage.event(key.public_id, NOW, input_tokens=0, output_tokens=0)).accepted == 1
        assert UsageDelta.objects.get().events == 1

    def test_a_version_7_id_lies_where_its_own_time_says(self, report: Any, key: ApiKey, model: AIModel) -> None:
        minted = NOW - timedelta(minutes=1)
        report(usage.event(key.public_id, NOW, id=usage.v7(minted)))
        stored = UsageEvent.objects.get()
        assert stored.ts == minted
        assert stored.occurred_at == NOW
        assert not UsageSeen.objects.exists()

    @pytest.mark.parametrize(("minutes", "late"), [(15, 0), (16, 1_100)])
    def test_late_is_more_than_15_minutes(
        self, report: Any, key: ApiKey, model: AIModel, minutes: int, late: int
    ) -> None:
        report(usage.event(key.public_id, NOW - timedelta(minutes=minutes)))
        assert UsageDelta.objects.get().late_tokens == late

    def test_the_price_is_the_one_in_force_when_it_occurred(self, report: Any, key: ApiKey, model: AIModel) -> None:
        turn = NOW - timedelta(hours=1)
        new = catalog.price(model, turn, input_usd="1", output_usd="2")
        before, after = usage.event(key.public_id, turn - timedelta(microseconds=1)), usage.event(key.public_id, turn)
        report(before, after)
        assert UsageEvent.objects.get(id=before.id).price_id == model.prices.order_by("valid_from")[0].pk
        assert UsageEvent.objects.get(id=after.id).price_id == new.pk

    def test_a_day_without_a_partition_gets_one(self, report: Any, key: ApiKey, model: AIModel) -> None:
        later = NOW + timedelta(days=200)
        assert report(usage.event(key.public_id, later), now=later).accepted == 1

    def test_a_gateway_that_reports_is_seen(self, report: Any, gateway: Gateway) -> None:
        report()
        gateway.refresh_from_db()
        assert gateway.last_seen_at == NOW
        assert gateway.complete_through is None

    def test_complete_through_never_goes_back(self, gateway: Gateway) -> None:
        for said in (NOW, NOW - timedelta(minutes=5)):
            ingest.ingest(Batch([], [], complete_through=said), gateway_id=gateway.pk, now=NOW)
        gateway.refresh_from_db()
        assert gateway.complete_through == NOW


class TestRepeats:
    @pytest.mark.parametrize("id_", [uuid4(), usage.v7(NOW)], ids=["random", "version 7"])
    def test_the_same_event_again_is_a_duplicate(self, report: Any, key: ApiKey, model: AIModel, id_: UUID) -> None:
        event = usage.event(key.public_id, NOW, id=id_)
        assert report(event) == Receipt(1, 0, [])
        assert report(event, now=NOW + timedelta(hours=1)) == Receipt(0, 1, [])
        assert UsageEvent.objects.count() == 1
        assert UsageDelta.objects.get().events == 1

    def test_the_same_instant_in_another_zone_is_the_same_body(self, report: Any, key: ApiKey, model: AIModel) -> None:
        event = usage.event(key.public_id, NOW)
        elsewhere = datetime.fromisoformat("2026-03-10T17:30:17+05:00")
        report(event)
        assert report(usage.event(key.public_id, elsewhere, id=event.id, cached_input_tokens=0)) == Receipt(0, 1, [])

    @pytest.mark.parametrize("id_", [uuid4(), usage.v7(NOW)], ids=["random", "version 7"])
    @pytest.mark.parametrize(
        "other",
        [
            {"input_tokens": 1_001},
            {"output_tokens": 101},
            {"cached_input_tokens": 1},
            {"model": "other-model"},
            {"at": NOW - timedelta(seconds=1)},
            {"at": NOW - timedelta(days=3)},
            {"key": "other"},
        ],
        ids=str,
    )
    def test_the_same_id_with_another_body_is_refused(
        self, report: Any, key: ApiKey, acme: Organization, model: AIModel, id_: UUID, other: dict[str, Any]
    ) -> None:
        catalog.model("other-model")
        report(usage.event(key.public_id, NOW, id=id_))
        name = people.key(acme, "second", now=NOW).key.public_id if "key" in other else key.public_id
        changed = usage.event(
            name, other.get("at", NOW), id=id_, **{n: v for n, v in other.items() if n not in ("at", "key")}
        )
        receipt = report(changed)
        expected = (
            Reason.ID_TIME
            if id_.version == 7 and other.get("at", NOW) < NOW - timedelta(days=1)
            else Reason.ID_CONFLICT
        )
        assert (receipt.accepted, receipt.duplicate, reasons(receipt)) == (0, 0, [expected])
        assert UsageEvent.objects.count() == 1
        assert RefusedUsage.objects.get().event_id == str(id_)

    def test_within_a_batch_the_first_wins(self, report: Any, key: ApiKey, model: AIModel) -> None:
        event = usage.event(key.public_id, NOW)
        other = usage.event(key.public_id, NOW, id=event.id, output_tokens=7)
        receipt = report(event, other, event)
        assert (receipt.accepted, receipt.duplicate) == (1, 1)
        assert [(refusal.index, refusal.reason) for refusal in receipt.refused] == [(1, Reason.ID_CONFLICT)]

    def test_new_known_and_changed_events_are_told_apart_in_one_batch(
        self, report: Any, key: ApiKey, model: AIModel
    ) -> None:
        known = [
            usage.event(key.public_id, NOW - timedelta(seconds=n), id=i) for n, i in enumerate([uuid4(), usage.v7(NOW)])
        ]
        report(*known)
        changed = [usage.event(key.public_id, e.occurred_at, id=e.id, output_tokens=5) for e in known]
        fresh = [usage.event(key.public_id, NOW, id=i) for i in (uuid4(), usage.v7(NOW, 9))]
        receipt = report(*fresh, known[0], changed[1])
        assert (receipt.accepted, receipt.duplicate) == (2, 1)
        assert [(refusal.index, refusal.reason) for refusal in receipt.refused] == [(3, Reason.ID_CONFLICT)]


class TestRefusing:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"key": "key_0000000000000000"}, Reason.UNKNOWN_KEY),
            ({"key": "sk-purser-0123456789abcdefghij"}, Reason.RAW_KEY),
            ({"model": "no-such-model"}, Reason.UNKNOWN_MODEL),
            ({"model": "nul\0byte"}, Reason.UNKNOWN_MODEL),
            ({"at": NOW + timedelta(minutes=5, microseconds=1)}, Reason.IN_FUTURE),
            ({"at": NOW - timedelta(days=35, microseconds=1)}, Reason.TOO_OLD),
            ({"at": datetime.fromisoformat("0001-01-01T00:00:00+14:00")}, Reason.TOO_OLD),
            ({"id": usage.v7(NOW - timedelta(days=1, seconds=1))}, Reason.ID_TIME),
            ({"id": UUID(int=2**128 - 1 & ~(0xF << 76) & ~(3 << 62) | 7 << 76 | 2 << 62)}, Reason.ID_TIME),
            ({"cached_input_tokens": 1_001}, Reason.INVALID),
        ],
        ids=str,
    )
    def test_each_reason(
        self, report: Any, key: ApiKey, model: AIModel, change: dict[str, Any], reason: Reason
    ) -> None:
        body: dict[str, Any] = {"key": key.public_id, "at": NOW} | change
        good = usage.event(key.public_id, NOW)
        receipt = report(usage.event(**body), good)
        assert (receipt.accepted, reasons(receipt)) == (1, [reason])
        assert RefusedUsage.objects.get().reason == reason

    @pytest.mark.parametrize("at", [NOW + timedelta(minutes=5), NOW - timedelta(days=35)], ids=["ahead", "behind"])
    def test_the_window_includes_its_ends(self, report: Any, key: ApiKey, model: AIModel, at: datetime) -> None:
        assert report(usage.event(key.public_id, at)).accepted == 1

    def test_a_key_pays_for_what_occurred_before_it_was_revoked(self, report: Any, key: ApiKey, model: AIModel) -> None:
        keys.revoke(key, NOW)
        receipt = report(usage.event(key.public_id, NOW - timedelta(microseconds=1)), usage.event(key.public_id, NOW))
        assert (receipt.accepted, reasons(receipt)) == (1, [Reason.KEY_REVOKED])

    def test_a_key_pays_for_what_occurred_before_it_expired(
        self, report: Any, acme: Organization, model: AIModel
    ) -> None:
        ends = NOW + timedelta(minutes=1)
        key = people.key(acme, expires_at=ends, now=NOW).key
        receipt = report(usage.event(key.public_id, ends - timedelta(microseconds=1)), usage.event(key.public_id, ends))
        assert (receipt.accepted, reasons(receipt)) == (1, [Reason.KEY_EXPIRED])

    def test_a_retired_model_serves_through_its_last_day(self, report: Any, key: ApiKey, days: None) -> None:
        catalog.model("old", deprecated_on=NOW.date() - timedelta(days=1))
        midnight = NOW.replace(hour=0, minute=0, second=0)
        receipt = report(
            usage.event(key.public_id, midnight - timedelta(microseconds=1), model="old"),
            usage.event(key.public_id, midnight, model="old"),
        )
        assert (receipt.accepted, reasons(receipt)) == (1, [Reason.DEPRECATED])

    def test_before_the_first_price_there_is_none(self, report: Any, key: ApiKey, days: None) -> None:
        catalog.model("new", valid_from=NOW)
        receipt = report(
            usage.event(key.public_id, NOW - timedelta(microseconds=1), model="new"),
            usage.event(key.public_id, NOW, model="new"),
        )
        assert (receipt.accepted, reasons(receipt)) == (1, [Reason.NO_PRICE])

    def test_a_secret_is_never_kept(self, report: Any, acme: Organization, model: AIModel) -> None:
        secret = people.key(acme, now=NOW).secret
        report(usage.event(secret, NOW), usage.event("x" + secret, NOW, model=f"as {secret} said"))
        kept = "".join(f"{row.body} {row.detail} {row.event_id}" for row in RefusedUsage.objects.all())
        assert RefusedUsage.objects.count() == 2
        assert secret[:16] not in kept

    def test_a_refused_event_that_is_sent_again_is_kept_once(self, report: Any, model: AIModel) -> None:
        event = usage.event("key_0000000000000000", NOW)
        report(event)
        assert reasons(report(event)) == [Reason.UNKNOWN_KEY]
        assert RefusedUsage.objects.count() == 1


class TestWhoPays:
    def test_a_team_without_credit_pays_all_the_same(self, report: Any, key: ApiKey, model: AIModel) -> None:
        report(usage.event(key.public_id, NOW))
        assert UsageDelta.objects.get().payer == Payer.CREDITS

    def test_a_personal_organization_without_credit_is_free(
        self, report: Any, personal_key: ApiKey, model: AIModel
    ) -> None:
        report(usage.event(personal_key.public_id, NOW))
        assert UsageDelta.objects.get().payer == Payer.FREE

    def test_with_credit_now_it_pays_also_for_earlier_use(
        self, report: Any, personal_key: ApiKey, alice_personal: Organization, model: AIModel
    ) -> None:
        usage.bought(alice_personal, "10", now=NOW)
        report(usage.event(personal_key.public_id, NOW - timedelta(hours=1)))
        assert UsageDelta.objects.get().payer == Payer.CREDITS

    def test_with_credit_then_it_pays_although_nothing_is_left(
        self, report: Any, personal_key: ApiKey, alice_personal: Organization, model: AIModel
    ) -> None:
        began, ended = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
        PayerBase.objects.update(since=NOW - timedelta(days=1))
        base.flip(alice_personal.pk, Payer.CREDITS, at=began)
        base.flip(alice_personal.pk, Payer.FREE, at=ended)
        during, after = usage.event(personal_key.public_id, began), usage.event(personal_key.public_id, ended)
        report(during, after)
        assert UsageEvent.objects.get(id=during.id).payer == Payer.CREDITS
        assert UsageEvent.objects.get(id=after.id).payer == Payer.FREE

    def test_coverage_goes_by_the_time_of_occurrence_alone(
        self, report: Any, key: ApiKey, acme: Organization, model: AIModel
    ) -> None:
        starts, ends = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
        span = Coverage.objects.create(
            wallet_id=acme.pk, model_id=model.pk, payer=Payer.SUBSCRIPTION, valid_from=starts, valid_to=ends
        )
        moments = [starts - timedelta(microseconds=1), starts, ends - timedelta(microseconds=1), ends]
        events = [usage.event(key.public_id, at) for at in moments]
        report(*events)
        stored = [UsageEvent.objects.get(id=event.id) for event in events]
        assert [event.payer for event in stored] == [
            Payer.CREDITS,
            Payer.SUBSCRIPTION,
            Payer.SUBSCRIPTION,
            Payer.CREDITS,
        ]
        assert [event.coverage_id for event in stored] == [None, span.pk, span.pk, None]


def test_partitions_reach_from_37_days_behind_to_8_ahead(days: None) -> None:
    partitions.make(NOW)
    assert partitions.make(NOW) == 0
    assert partitions.make(NOW + timedelta(days=1)) == 1
