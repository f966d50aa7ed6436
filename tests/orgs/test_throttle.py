"""What may be done how often, by whom, and what happens beyond it."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory

from orgs import throttle
from orgs.models import ApiKey, Organization, User
from orgs.throttle import Rate, TooOften
from tests.factories.orgs import PASSWORD

NOW = datetime(2026, 4, 14, 12, 40, 0, tzinfo=UTC)


@pytest.fixture
def three_a_minute(settings: Any) -> None:
    settings.RATES = settings.RATES | {"new_key": "3/m", "new_team": "3/m", "checkout": "3/m", "unknown_token": "3/m"}


def taken(who: str = "alice", now: datetime = NOW, what: str = throttle.NEW_KEY) -> bool:
    try:
        throttle.take(what, who, now=now)
    except TooOften:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("20/10m", Rate(20, 600)),
        ("60/m", Rate(60, 60)),
        ("1/30s", Rate(1, 30)),
        (" 5/h ", Rate(5, 3600)),
        ("9/2d", Rate(9, 172_800)),
    ],
)
def test_rates_are_written_in_words(text: str, rate: Rate) -> None:
    assert Rate.of(text) == rate


@pytest.mark.parametrize("text", ["", "20", "20/", "0/m", "20/0m", "-1/m", "1.5/m", "twenty/m", "20/m/ip", "2０/m"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        Rate.of(text)


@pytest.mark.usefixtures("three_a_minute")
def test_so_many_in_a_window_and_no_more() -> None:
    assert [taken() for _ in range(5)] == [True, True, True, False, False]
    assert taken(who="bob")
    assert taken(what=throttle.NEW_TEAM)
    assert taken(now=NOW + timedelta(minutes=1))


@pytest.mark.usefixtures("three_a_minute")
def test_it_says_when_to_come_again() -> None:
    for second in (0, 1, 2):
        assert taken(now=NOW + timedelta(seconds=second))
    with pytest.raises(TooOften) as refusal:
        throttle.take(throttle.NEW_KEY, "alice", now=NOW + timedelta(seconds=41))
    assert refusal.value.retry_after == 19
    assert taken(now=NOW + timedelta(seconds=41 + 19))


@pytest.mark.usefixtures("three_a_minute")
def test_many_at_once_get_no_more_than_one_after_the_other() -> None:
    gate, let_in = threading.Barrier(12), []

    def come() -> None:
        gate.wait()
        let_in.append(taken())

    threads = [threading.Thread(target=come) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(let_in) == [False] * 9 + [True] * 3


@pytest.mark.usefixtures("three_a_minute")
def test_a_cache_that_is_away_lets_everybody_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: object, **kwargs: object) -> int:
        raise ConnectionError("refused")

    monkeypatch.setattr(cache, "incr", away)
    assert [taken() for _ in range(5)] == [True] * 5


def test_redis_that_is_away_is_an_empty_cache() -> None:
    from portal.cache import RedisOrNothing

    nowhere = RedisOrNothing("redis://127.0.0.1:1/0", {"OPTIONS": {"socket_connect_timeout": 0.2}})
    assert nowhere.add("a", 1)
    assert (nowhere.get("a"), nowhere.get("a", 7), nowhere.incr("a"), nowhere.has_key("a")) == (None, 7, 0, False)
    nowhere.set("a", 1)
    assert not nowhere.delete("a")
    assert not nowhere.touch("a")


def test_who_is_counted_does_not_stand_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def incr(key: str) -> int:
        seen.append(key)
        return 1

    monkeypatch.setattr(cache, "incr", incr)
    throttle.take(throttle.UNKNOWN_TOKEN, "203.0.113.9", now=NOW)
    assert len(seen) == 1
    assert "203.0.113.9" not in seen[0]


# --- Addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "address"),
    [
        (0, "203.0.113.9", "", "203.0.113.9"),
        (0, "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        (1, "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (1, "10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        (2, "10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (2, "203.0.113.9", "1.2.3.4", "203.0.113.9"),
        (1, "203.0.113.9", "", "203.0.113.9"),
        (0, "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::"),
        (0, "::ffff:203.0.113.9", "", "203.0.113.9"),
        (0, "", "", ""),
        (1, "10.0.0.1", "x" * 200, "x" * 64),
    ],
)
def test_where_a_request_comes_from(
    settings: Any, rf: RequestFactory, proxies: int, peer: str, forwarded: str, address: str
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert throttle.address(rf.get("/", REMOTE_ADDR=peer, headers=headers)) == address


# --- At the doors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/o/acme/keys/new", "/o/acme/billing/buy", "/teams/new"])
def test_beyond_it_a_page_says_what_to_do_and_nothing_is_done(
    settings: Any, path: str, alice_client: Client, bob_client: Client, acme: Organization
) -> None:
    settings.RATES = dict.fromkeys(settings.RATES, "3/d")
    assert [alice_client.post(path, {}).status_code for _ in range(3)] == [200] * 3
    refused = alice_client.post(path, {"name": "one more", "once": "0123456789abcdef"})
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 86_400
    assert "so nothing was done. Wait " in refused.content.decode()
    assert "no-store" in refused["Cache-Control"]
    assert (ApiKey.objects.count(), Organization.objects.filter(name="one more").count()) == (0, 0)
    # Looking is not counted, and others are not held up.
    assert alice_client.get(path).status_code == 200
    assert bob_client.post(path, {}).status_code in (200, 403)


def test_a_busy_hour_meets_no_limit(alice_client: Client, acme: Organization) -> None:
    for n in range(20):
        made = alice_client.post("/o/acme/keys/new", {"name": f"key {n}", "once": f"0123456789abcd{n:02}"})
        assert made.status_code == 200
    assert acme.api_keys.count() == 20
    assert [alice_client.post("/teams/new", {"name": f"Team {n}"}).status_code for n in range(10)] == [302] * 10


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "most", "sends"),
    [
        ("/accounts/login/", 30, {"login": "{n}@example.com", "password": "wrong"}),
        ("/accounts/signup/", 20, {"email": "no address {n}", "password1": PASSWORD}),
        ("/accounts/password/reset/", 20, {"email": "{n}@example.com"}),
    ],
)
def test_doors_for_people_who_are_not_signed_in(client: Client, path: str, most: int, sends: dict[str, str]) -> None:
    filled = [{name: value.format(n=n) for name, value in sends.items()} for n in range(most + 1)]
    answers = [client.post(path, form) for form in filled]
    assert 429 not in [answer.status_code for answer in answers[:most]]
    assert (answers[-1].status_code, answers[-1]["Retry-After"]) == (429, "60")
    assert "Too many at once" in answers[-1].content.decode()
    assert client.post(path, filled[0], REMOTE_ADDR="203.0.113.9").status_code != 429


def test_guessing_a_password_is_stopped_wherever_it_comes_from(alice: User) -> None:
    wrong = [
        Client().post("/accounts/login/", {"login": alice.email, "password": "wrong"}, REMOTE_ADDR=f"203.0.113.{n}")
        for n in range(6)
    ]
    assert "Too many failed" not in wrong[4].content.decode()
    assert "Too many failed" in wrong[5].content.decode()
    right = {"login": alice.email, "password": PASSWORD}
    assert Client().post("/accounts/login/", right, REMOTE_ADDR="203.0.113.99").status_code == 200
