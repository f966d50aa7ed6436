"""The portal's own programs: how each is started, and how it is asked whether it is up."""

import json
import socket
import sys
import urllib.error
import urllib.request
from typing import Any

from sandbox import local


def web(port: int) -> list[str]:
    return [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "2", "--blocking-threads", "8", "--workers-kill-timeout", "10", "portal.wsgi:application",
    ]  # fmt: skip


def worker(*, with_clock: bool = True) -> list[str]:
    """Does what the queue says. Its clock is inside it, unless there is one beside it."""
    return [
        sys.executable, "-m", "celery", "--app", "portal", "worker", "--concurrency", "2", "--loglevel", "WARNING",
        "--without-gossip", "--without-mingle", *(["--beat"] if with_clock else []),
    ]  # fmt: skip


def clock() -> list[str]:
    """The clock as a program of its own. Without a pid file, which a killed one would leave behind."""
    return [
        sys.executable, "-m", "celery", "--app", "portal", "beat", "--loglevel", "WARNING", "--pidfile", "",
    ]  # fmt: skip


def stripe(port: int, webhook_url: str, webhook_secret: str) -> list[str]:
    return [
        sys.executable, "-m", "sandbox.stripe", "--port", str(port), "--state", str(local.STRIPE_STATE),
        "--webhook-url", webhook_url, "--webhook-secret", webhook_secret,
    ]  # fmt: skip


def is_free(port: int) -> bool:
    """Does nobody answer on this loopback port?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def get_json(url: str) -> tuple[int, dict[str, Any]]:
    """Status and body; status 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        try:
            return refusal.code, json.load(refusal)
        except ValueError:
            return refusal.code, {}
    except (OSError, ValueError):
        return 0, {}
