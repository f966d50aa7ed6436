"""The countries of ISO 3166-1, by the list that comes with the time zones (`tzdata`)."""

from functools import cache
from importlib.resources import files


@cache
def names() -> dict[str, str]:
    """Two letters -> name in English, in the order of names."""
    text = files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return dict(sorted(((code, name) for code, name in rows), key=lambda row: row[1]))


def name(code: str) -> str:
    return names().get(code, code)
