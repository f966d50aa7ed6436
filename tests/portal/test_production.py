"""The portal as an operator runs it: processes of their own with a whole production environment."""

import json
import os
import subprocess
import sys

import pytest

from tests.paths import ROOT, operator_variables

PRODUCTION = {
    "PURSER_PRODUCTION": "1",
    "SECRET_KEY": "a-secret-of-the-operator-with-many-different-letters-0123456789",
    "PUBLIC_URL": "https://billing.example.com",
    "ALLOWED_HOSTS": "billing.example.com",
    "BEHIND_PROXY": "1",
    "DATABASE_URL": "postgresql://purser_app@127.0.0.1:1/purser",
    "DATABASE_OWNER_URL": "postgresql://purser_owner@127.0.0.1:1/purser",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "STRIPE_SECRET_KEY": "sk_live_51",
    "STRIPE_WEBHOOK_SECRETS": "whsec_1",
    "EMAIL_URL": "smtp+tls://user:secret@mail.internal:587",
}
WEB = "import portal.wsgi"
WORKER = ("-m", "celery", "--app", "portal", "worker", "--pool", "solo")
CLOCK = ("-m", "celery", "--app", "portal", "beat", "--pidfile", "")
CHECK = ("manage.py", "check", "--deploy", "--fail-level", "INFO")

LOOK = """
import json, portal.wsgi
from django.conf import settings
from django.test import Client
ask = {"secure": True, "SERVER_NAME": "billing.example.com"}
answers = {path: Client().get(path, **ask) for path in ("/brand.css", "/health/live", "/api/v1/usage", "/webhooks/stripe")}
answers["http"] = Client().get("/brand.css", SERVER_NAME="billing.example.com")
theme = Client().post("/theme", {"theme": "dark"}, **ask).cookies["theme"]
cookies = {name: [getattr(settings, f"{name}_COOKIE_{flag}") for flag in ("SECURE", "HTTPONLY", "SAMESITE")]
           for name in ("SESSION", "CSRF")}
cookies["theme"] = [theme[flag] for flag in ("secure", "httponly", "samesite")]
print(json.dumps({"answers": {path: [answer.status_code, dict(answer.headers)] for path, answer in answers.items()},
                  "cookies": cookies, "proxies": settings.ALLAUTH_TRUSTED_PROXY_COUNT}))
"""


def run(*command: str, **changed: str) -> "subprocess.CompletedProcess[str]":
    # The browser tests set the latter for this process.
    known = operator_variables() | {"DJANGO_ALLOW_ASYNC_UNSAFE"}
    environment = {name: value for name, value in os.environ.items() if name not in known}
    environment |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "PURSER_ENV_FILES": "none"} | PRODUCTION | changed
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_check_for_deployment_finds_nothing() -> None:
    answer = run(*CHECK)
    assert (answer.returncode, answer.stdout.strip()) == (0, "System check identified no issues (0 silenced)."), (
        answer.stderr
    )


def test_every_answer_of_production_carries_its_headers() -> None:
    answer = run("-c", LOOK)
    assert answer.returncode == 0, answer.stderr
    seen = json.loads(answer.stdout.splitlines()[-1])
    assert {path: status for path, (status, _) in seen["answers"].items()} == {
        "/brand.css": 200,
        "/health/live": 200,
        "/api/v1/usage": 405,
        "/webhooks/stripe": 405,
        "http": 301,
    }
    for path, (_, headers) in seen["answers"].items():
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff"), path
        assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert (headers["Referrer-Policy"], "Permissions-Policy" in headers) == ("same-origin", True)
        if path != "http":
            assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert seen["answers"]["http"][1]["Location"] == "https://billing.example.com/brand.css"
    assert seen["cookies"] == {name: [True, True, "Lax"] for name in ("SESSION", "CSRF", "theme")}
    assert seen["proxies"] == 1


TRYING_OUT = {
    "SECRET_KEY": "",
    "DEBUG": "1",
    "STRIPE_API_BASE": "http://127.0.0.1:12111",
    "STRIPE_SECRET_KEY": "sk_test_1",
    "STRIPE_WEBHOOK_SECRETS": "",
}
SAID = (
    "SECRET_KEY is not set, or shorter",
    "DEBUG is on",
    "STRIPE_API_BASE is not Stripe",
    "STRIPE_WEBHOOK_SECRETS is not set",
)


@pytest.mark.parametrize("command", [("-c", WEB), WORKER, CLOCK], ids=["web", "worker", "clock"])
def test_nothing_starts_with_what_is_for_trying_out(command: tuple[str, ...]) -> None:
    """Each says all of it at once. That each alone is enough is in `test_checks.py`: it is one list."""
    answer = run(*command, **TRYING_OUT)
    assert answer.returncode != 0
    assert [said for said in SAID if said not in answer.stderr] == []


def test_the_check_names_what_is_wrong_and_shows_no_secret() -> None:
    answer = run(
        *CHECK, STRIPE_WEBHOOK_SECRETS="", RATE_CHECKOUT="often", RATE_SIGN_IN="30/fortnight", TRUSTED_PROXY_COUNT="-1"
    )
    assert answer.returncode != 0
    for said in (
        "STRIPE_WEBHOOK_SECRETS is not set",
        "RATE_CHECKOUT: often is not a rate",
        "RATE_SIGN_IN: 30/fortnight is not a rate",
        "TRUSTED_PROXY_COUNT must",
    ):
        assert said in answer.stderr
    assert "sk_live_51" not in answer.stderr


def test_one_login_for_everything_works_and_the_check_for_deployment_warns() -> None:
    answer = run(*CHECK, DATABASE_OWNER_URL="")
    assert answer.returncode == 1
    assert "(purser.W001) DATABASE_OWNER_URL is not set: the login of DATABASE_URL owns its tables" in answer.stderr
    assert run("-c", WEB, DATABASE_OWNER_URL="").returncode == 0
