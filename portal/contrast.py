"""Colours and how well they can be read on one another, as WCAG 2 measures it. Pure."""

import re
from dataclasses import dataclass

SIX_DIGITS = re.compile(r"#?([0-9a-fA-F]{6})")


@dataclass(frozen=True)
class Colour:
    red: int
    green: int
    blue: int

    @property
    def hex(self) -> str:
        return f"#{self.red:02X}{self.green:02X}{self.blue:02X}"

    @property
    def luminance(self) -> float:
        def linear(channel: int) -> float:
            share = channel / 255
            return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)

        return 0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)


def parsed(text: str) -> Colour:
    """ "#0B5C69" as a colour; anything else is a ValueError that says so."""
    found = SIX_DIGITS.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a colour of six hexadecimal digits such as #0B5C69")
    digits = found[1]
    return Colour(*(int(digits[at : at + 2], 16) for at in (0, 2, 4)))


def contrast(one: Colour, other: Colour) -> float:
    """From 1 (the same) to 21 (black on white)."""
    lighter, darker = sorted((one.luminance, other.luminance), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mixed(colour: Colour, ground: Colour, share: float) -> Colour:
    """That share of the colour laid over the ground."""

    def channel(over: int, under: int) -> int:
        return round(share * over + (1 - share) * under)

    return Colour(
        channel(colour.red, ground.red), channel(colour.green, ground.green), channel(colour.blue, ground.blue)
    )


def text_on(accent: Colour) -> Colour:
    """White or near black, whichever reads better on the accent."""
    white, ink = Colour(255, 255, 255), Colour(6, 12, 16)
    return white if contrast(white, accent) >= contrast(ink, accent) else ink
