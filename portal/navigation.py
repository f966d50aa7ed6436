"""What the sidebar, the bottom bar and the More page lead to, in that order. A new page is one line here."""

from dataclasses import dataclass

from django.urls import reverse


@dataclass(frozen=True)
class Place:
    """A page of an organization: `view` is its URL name and takes the organization's slug."""

    label: str
    view: str
    icon: str
    exact: bool = False  # current on its own address only, not on those below it


@dataclass(frozen=True)
class Group:
    label: str
    places: tuple[Place, ...]


OVERVIEW = Place("Overview", "billing:overview", "layout-dashboard", exact=True)
USAGE = Place("Usage", "billing:usage", "chart-column")
BILLING = Place("Billing", "billing:billing", "wallet")
PLANS = Place("Plans", "billing:plan", "layers")
STATEMENTS = Place("Statements", "billing:statements", "file-text")
TIMELINE = Place("Timeline", "billing:timeline", "calendar-clock")
KEYS = Place("API keys", "orgs:keys", "key-round")
LIMITS = Place("Models & limits", "billing:limits", "gauge")
MEMBERS = Place("Members", "orgs:members", "users")
ALERTS = Place("Alerts", "billing:alerts", "bell")
SETTINGS = Place("Settings", "orgs:settings", "settings")
MORE = Place("More", "orgs:more", "menu")

GROUPS = (
    Group("", (OVERVIEW, USAGE)),
    Group("Money", (BILLING, PLANS, STATEMENTS, TIMELINE)),
    Group("Access", (KEYS, LIMITS)),
    Group("Organization", (MEMBERS, ALERTS, SETTINGS)),
)
BOTTOM = (OVERVIEW, USAGE, BILLING, Place("Keys", KEYS.view, KEYS.icon), MORE)


@dataclass(frozen=True)
class Link:
    label: str
    icon: str
    url: str
    current: bool


@dataclass(frozen=True)
class LinkGroup:
    label: str
    links: tuple[Link, ...]


def sidebar(slug: str, path: str) -> list[LinkGroup]:
    """The groups of links for one organization; `path` is the page that is open."""
    return [LinkGroup(group.label, tuple(_link(place, slug, path) for place in group.places)) for group in GROUPS]


def bottom_bar(slug: str, path: str) -> list[Link]:
    """The five of the phone. What has no place of its own there lies under More."""
    links = [_link(place, slug, path) for place in BOTTOM]
    if any(link.current for link in links):
        return links
    elsewhere = any(link.current for group in sidebar(slug, path) for link in group.links)
    return [*links[:-1], Link(MORE.label, MORE.icon, links[-1].url, current=elsewhere)]


def _link(place: Place, slug: str, path: str) -> Link:
    url = reverse(place.view, kwargs={"slug": slug})
    below = not place.exact and path.startswith(f"{url.rstrip('/')}/")
    return Link(place.label, place.icon, url, current=path == url or below)
