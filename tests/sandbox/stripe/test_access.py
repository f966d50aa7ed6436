"""This machine only, test keys only."""

import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe

from sandbox.stripe import Request, Running, Sandbox, Settings
from sandbox.stripe.errors import ApiError
from sandbox.stripe.server import Server
from tests.sandbox.stripe.conftest import client_of


@pytest.mark.parametrize("key", ["sk_live_51abc", "rk_live_51abc"])
def test_a_live_key_is_refused(sandbox: Running, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError, match="live key") as refused:
        client_of(sandbox, key).v1.customers.create({})
    assert refused.value.http_status == 401
    assert "51abc" not in str(refused.value)
    assert client_of(sandbox).v1.customers.list().data == []


@pytest.mark.parametrize(("key", "words"), [("pk_test_x", "publishable"), ("nonsense", "Invalid API Key")])
def test_other_keys_are_refused(sandbox: Running, key: str, words: str) -> None:
    with pytest.raises(stripe.AuthenticationError, match=words):
        client_of(sandbox, key).v1.customers.list()


@pytest.mark.parametrize("header", [{}, {"Authorization": ""}, {"Authorization": "Basic %%%"}, {"Authorization": "x"}])
def test_no_key_is_refused(sandbox: Running, header: dict[str, str]) -> None:
    assert ask(sandbox, "/v1/customers", header).status == 401


def test_a_key_as_a_user_name(sandbox: Running) -> None:
    """The way curl -u sends it."""
    assert ask(sandbox, "/v1/customers", {"Authorization": "Basic c2tfdGVzdF94Og=="}).status == 200


def ask(sandbox: Running, path: str, headers: dict[str, str]) -> Any:
    connection = http.client.HTTPConnection(str(urlsplit(sandbox.base_url).netloc), timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", ""])
def test_it_does_not_listen_on_other_addresses(host: str) -> None:
    with pytest.raises(ValueError, match="this machine only"):
        Server(Sandbox(), host, 0)


@pytest.mark.parametrize(
    "host", ["evil.example", "192.0.2.1:12111", "127.0.0.1.evil.example", "127.0.0.1@evil.example"]
)
def test_it_does_not_answer_to_other_names(sandbox: Running, host: str) -> None:
    for path in ("/v1/customers", "/_sandbox/books", "/c/pay/cs_test_x"):
        assert ask(sandbox, path, {"Host": host, "Authorization": "Bearer sk_test_x"}).status == 403


def test_it_does_not_start_with_an_endpoint_elsewhere() -> None:
    with pytest.raises(ApiError, match="this machine only"):
        Sandbox(settings=Settings(webhook_url="https://example.com/hook"))


def test_every_answer_names_its_request(sandbox: Running) -> None:
    answer = ask(sandbox, "/v1/customers", {"Authorization": "Bearer sk_test_x", "Stripe-Version": "2026-10-28.endive"})
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == "2026-10-28.endive"


def test_one_connection_carries_many_requests(sandbox: Running) -> None:
    connection = http.client.HTTPConnection(str(urlsplit(sandbox.base_url).netloc), timeout=10)
    for path, status in (("/v1/customers", 200), ("/v1/nothing", 404), ("/_sandbox/health", 200)):
        connection.request("GET", path, headers={"Authorization": "Bearer sk_test_x"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


@pytest.mark.parametrize("body", [b"[]", b"nonsense", b"\xff", b'{"colour": "red"}', b'{"kind": 1}', b'{"outcome": 1}'])
@pytest.mark.parametrize("path", ["faults", "cards/4242424242424242/behaviour", "webhooks/endpoint"])
def test_an_admin_call_that_is_not_understood_is_a_400(path: str, body: bytes) -> None:
    assert Sandbox().handle(Request("POST", f"/_sandbox/{path}", "", {}, body)).status == 400


@pytest.mark.parametrize(("length", "status"), [("x", 400), ("-1", 400), ("1000001", 413)])
def test_a_length_that_cannot_be(sandbox: Running, length: str, status: int) -> None:
    connection = http.client.HTTPConnection(str(urlsplit(sandbox.base_url).netloc), timeout=10)
    connection.request("POST", "/v1/customers", headers={"Content-Length": length})
    assert connection.getresponse().status == status
    connection.close()


def test_a_bug_of_the_sandbox_is_seen(
    sandbox: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(sandbox.sandbox, "handle", broken)
    assert ask(sandbox, "/v1/customers", {}).status == 500
    assert "a bug" in capsys.readouterr().err
