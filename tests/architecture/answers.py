"""What every answer carries, and what no page contains: the rules, for the tests that look at answers."""

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "font-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "img-src": "'self' data:",
    "form-action": "'self' https://checkout.stripe.com",
}


def faults(headers: Mapping[str, str]) -> list[str]:
    """What the headers of an answer lack."""
    missing = [f"{name}: {headers.get(name)}" for name, value in HEADERS.items() if headers.get(name) != value]
    policy = headers.get("Content-Security-Policy", "")
    said = dict(part.strip().partition(" ")[::2] for part in policy.split(";") if part.strip())
    if said != POLICY:
        missing.append(f"Content-Security-Policy: {policy}")
    return missing


class Document(HTMLParser):
    """What a page would run or colour by itself, and its forms."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.forms: list[dict[str, Any]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.wrong.append(f"<{tag}> with its own text")
        for name, value in given.items():
            if (
                name == "style"
                or name.startswith(("on", "hx-on", "hx-vars"))
                or value.startswith(("javascript:", "js:"))
            ):
                self.wrong.append(f"<{tag} {name}={value[:40]}>")
        for name in ("src", "action", "formaction"):
            if given.get(name, "").startswith(("http:", "https:", "//")):
                self.wrong.append(f"<{tag} {name}={given[name]}> is another site")
        if tag == "form":
            self.forms.append(
                {"method": given.get("method", "get").lower(), "token": False, "action": given.get("action")}
            )
        if tag == "input" and given.get("name") == "csrfmiddlewaretoken" and self.forms:
            self.forms[-1]["token"] = True
