"""Messages are worked on from the table until they are done; what fails is tried again, then kept for staff."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.db import DatabaseError, connections, transaction

from billing.webhooks import inbox
from billing.webhooks.models import InboxEvent, InboxState

NOW = datetime(2026, 4, 14, 12, 41, 3, tzinfo=UTC)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The events handled so far; an event of type `bad` fails, one of type `other` is none of ours."""
    handled: list[str] = []

    def handle(event: InboxEvent, now: datetime) -> bool:
        handled.append(event.provider_event_id)
        if event.type == "bad":
            raise RuntimeError("Stripe is away")
        return event.type != "other"

    monkeypatch.setitem(inbox.HANDLERS, "stripe", handle)
    return handled


def store(event_id: str, type: str = "good", *, at: datetime = NOW) -> InboxEvent:
    inbox.store("stripe", event_id, type, "{}", for_us=True, now=at)
    return InboxEvent.objects.get(provider_event_id=event_id)


@pytest.mark.django_db
def test_each_message_is_done_once(seen: list[str]) -> None:
    store("evt_1"), store("evt_2"), store("evt_3", "other")
    assert inbox.process(now=NOW) == 3
    assert inbox.process(now=NOW + timedelta(days=1)) == 0
    assert seen == ["evt_1", "evt_2", "evt_3"]
    states = dict(InboxEvent.objects.values_list("provider_event_id", "state"))
    assert states == {"evt_1": "done", "evt_2": "done", "evt_3": "ignored"}


@pytest.mark.usefixtures("as_owner")
@pytest.mark.django_db
def test_what_fails_does_not_stop_the_others_and_is_tried_again(seen: list[str]) -> None:
    bad = store("evt_1", "bad")
    store("evt_2")
    assert inbox.process(now=NOW) == 1
    bad.refresh_from_db()
    assert (bad.state, bad.tries, bad.error) == (InboxState.NEW, 1, "RuntimeError: Stripe is away")
    assert bad.next_try_at == NOW + timedelta(seconds=15)
    assert inbox.process(now=NOW + timedelta(seconds=14)) == 0
    InboxEvent.objects.filter(pk=bad.pk).update(type="good")
    assert inbox.process(now=NOW + timedelta(seconds=15)) == 1
    bad.refresh_from_db()
    assert (bad.state, bad.error) == (InboxState.DONE, "")


@pytest.mark.usefixtures("as_owner")
@pytest.mark.django_db
def test_after_a_day_of_trying_it_waits_for_staff_who_can_replay_it(seen: list[str]) -> None:
    bad, now = store("evt_1", "bad"), NOW
    for _ in inbox.PAUSES:
        inbox.process(now=now)
        bad.refresh_from_db()
        now = bad.next_try_at
    assert (bad.state, bad.tries, len(seen)) == (InboxState.FAILED, 12, 12)
    assert now - NOW > timedelta(days=1)
    assert inbox.process(now=now + timedelta(days=30)) == 0

    InboxEvent.objects.filter(pk=bad.pk).update(type="good")
    bad.refresh_from_db()
    inbox.replay(bad, now=now)
    assert inbox.process(now=now) == 1
    bad.refresh_from_db()
    assert (bad.state, bad.error) == (InboxState.DONE, "")


@pytest.mark.django_db
def test_whoever_dies_at_work_leaves_it_to_the_next_run(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    event = store("evt_1")

    def die(*args: object) -> bool:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setitem(inbox.HANDLERS, "stripe", die)
        with pytest.raises(SystemExit):
            inbox.process(now=NOW)
    assert inbox.process(now=NOW) == 0, "it may still be at it"
    assert inbox.process(now=NOW + timedelta(seconds=15)) == 1
    event.refresh_from_db()
    assert (event.state, event.tries) == (InboxState.DONE, 2)


@pytest.mark.usefixtures("as_owner")
@pytest.mark.django_db
def test_what_came_is_never_rewritten(seen: list[str]) -> None:
    event = store("evt_1")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        InboxEvent.objects.filter(pk=event.pk).update(body='{"amount": 1000000}')


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_share_the_work(seen: list[str]) -> None:
    for number in range(30):
        store(f"evt_{number}")
    start = Barrier(4)

    def work(_: int) -> int:
        try:
            start.wait(10)
            return inbox.process(now=NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 30
    assert sorted(seen) == sorted(set(seen))
    assert len(seen) == 30


@pytest.mark.django_db(transaction=True)
def test_one_event_from_many_senders_at_once_is_one_row(seen: list[str]) -> None:
    start = Barrier(4)

    def send(_: int) -> bool:
        try:
            start.wait(10)
            return inbox.store("stripe", "evt_1", "good", "{}", for_us=True, now=NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert any(pool.map(send, range(4)))
    assert InboxEvent.objects.count() == 1
