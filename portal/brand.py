"""The operator's own colour: `/brand.css` puts it over the built stylesheet, so no page needs an inline style.

The accent carries buttons, links and the mark, so it has to be readable: `problems` is what the system check reports.
"""

from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from portal.contrast import Colour, contrast, mixed, parsed, text_on

READABLE = 4.5
DEFAULTS = {"accent_light": "#0B5C69", "accent_dark": "#5BBBC9"}
PAGES = {"accent_light": "#FFFFFF", "accent_dark": "#101416"}
# The default accents keep the tints and text the designer chose; any other gets its own.
TINTS = {"#0B5C69": "#EAF3F4", "#5BBBC9": "#12282C"}
TEXTS = {"#0B5C69": "#FFFFFF", "#5BBBC9": "#06262C"}
TINT_SHARE = {"accent_light": 0.08, "accent_dark": 0.12}


@require_safe
@cache_control(public=True, max_age=300)
def stylesheet(request: HttpRequest) -> HttpResponse:
    light, dark = _variables("accent_light"), _variables("accent_dark")
    css = (
        f':root,[data-theme="purser"]{{{light}}}\n'
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme]){{{dark}}}}}\n"
        f'[data-theme="purser-dark"]{{{dark}}}\n'
    )
    return HttpResponse(css, content_type="text/css; charset=utf-8")


def problems(brand: dict[str, str]) -> Iterator[str]:
    """What is wrong with the operator's accents, in words; nothing when all is well."""
    for name, page in PAGES.items():
        variable = f"BRAND_{name.upper()}"
        try:
            accent = parsed(brand[name])
        except ValueError as wrong:
            yield f"{variable}: {wrong}"
            continue
        grounds = {"the page": parsed(page), "notices": _tint(name, brand[name]), "its own text": _text(brand[name])}
        for ground, colour in grounds.items():
            ratio = contrast(accent, colour)
            if ratio < READABLE:
                yield f"{variable}: {brand[name]} has a contrast of {ratio:.1f}:1 with {ground}, it needs {READABLE}:1"


def _variables(name: str) -> str:
    accent = settings.BRAND[name]
    primary, text, tint = parsed(accent).hex, _text(accent).hex, _tint(name, accent).hex
    return (
        f"--color-primary:{primary};--color-primary-content:{text};"
        f"--color-accent:{primary};--color-accent-content:{text};--tint:{tint}"
    )


def _text(accent: str) -> Colour:
    return parsed(TEXTS[accent.upper()]) if accent.upper() in TEXTS else text_on(parsed(accent))


def _tint(name: str, accent: str) -> Colour:
    if accent.upper() == DEFAULTS[name]:
        return parsed(TINTS[DEFAULTS[name]])
    return mixed(parsed(accent), parsed(PAGES[name]), TINT_SHARE[name])
