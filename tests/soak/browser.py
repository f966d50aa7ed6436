"""A browser without a screen: cookies, redirects, forms. It asks once; whether to ask again is up to the visitor."""

import http.client
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

TIMEOUT = 20.0
MOST_REDIRECTS = 6


class Away(Exception):
    """Nobody answered, or not with a page: try again a little later."""


@dataclass
class Form:
    """A form as it stands on the page: where it goes, and what its fields hold."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Page:
    url: str
    status: int
    text: str
    forms: list[Form]
    links: list[str]
    heading: str

    def form(self, *, to: str = "", having: str = "") -> Form | None:
        """The first form whose address ends so and which has that field."""
        found = (form for form in self.forms if urlsplit(form.action).path.endswith(to))
        return next((form for form in found if not having or having in form.fields), None)


class Browser:
    """One person's. Raises Away instead of showing an error page."""

    def __init__(self) -> None:
        self._cookies: dict[str, dict[str, str]] = {}

    def open(self, url: str, fields: dict[str, str] | None = None) -> Page:
        """The page at this address, or what comes of sending it these fields; redirects are followed."""
        for _ in range(MOST_REDIRECTS):
            found = self.step(url, fields)
            if isinstance(found, Page):
                return found
            url, fields = found, None
        raise Away(f"too many redirects, at last to {url}")

    def step(self, url: str, fields: dict[str, str] | None = None) -> "Page | str":
        """One request: the page, or the address it redirects to."""
        status, location, text = self._once(url, fields)
        if location is not None:
            return urljoin(url, location)
        if status >= 500 or status == 429:
            raise Away(f"HTTP {status} at {url}")
        return _read(url, status, text)

    def _once(self, url: str, fields: dict[str, str] | None) -> tuple[int, str | None, str]:
        place = urlsplit(url)
        headers = {"Cookie": "; ".join(f"{n}={v}" for n, v in self._cookies.get(place.netloc, {}).items())}
        body = None
        if fields is not None:
            body = urlencode(fields)
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{place.netloc}"}
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT)
        try:
            target = place.path + (f"?{place.query}" if place.query else "")
            connection.request("POST" if body is not None else "GET", target, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as trouble:
            raise Away(f"{trouble or type(trouble).__name__} at {url}") from trouble
        finally:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(cookie).items():
                self._cookies.setdefault(place.netloc, {})[name] = morsel.value
        moved = answer.status in (301, 302, 303, 307, 308)
        return answer.status, answer.headers["Location"] if moved else None, text


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.heading = ""
        self._open: Form | None = None
        self._in_heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        if tag == "form":
            self._open = Form(urljoin(self.url, has.get("action") or self.url))
            self.forms.append(self._open)
        elif tag == "input" and self._open is not None and (name := has.get("name")):
            kind = has.get("type")
            if kind != "submit" and (kind not in ("radio", "checkbox") or "checked" in has):
                self._open.fields[name] = has.get("value") or ""
        elif tag == "a" and has.get("href"):
            self.links.append(urljoin(self.url, has["href"] or ""))
        elif tag == "h1":
            self._in_heading = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "h1":
            self._in_heading = False

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.heading += data


def _read(url: str, status: int, text: str) -> Page:
    reader = _Reader(url)
    reader.feed(text)
    return Page(url, status, text, reader.forms, reader.links, reader.heading.strip())
