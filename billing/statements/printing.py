"""Documents as PDF, made when they are asked for from what is stored: the same words, the same bytes.

WeasyPrint draws with Pango, a library of the system. It is loaded here alone, when a PDF is wanted: everything else works
without it.
"""

from pathlib import Path

from django.template.loader import render_to_string

HERE = Path(__file__).parent
STYLE = HERE / "paper.css"


class NoPrinter(Exception):
    """This machine cannot make PDFs: it has no Pango."""


def pdf(html: str) -> bytes:
    """A4 pages. Nothing but our own fonts is fetched, whatever the page says. Raises NoPrinter."""
    try:
        import weasyprint
        from weasyprint.text.fonts import FontConfiguration
        from weasyprint.urls import URLFetcher
    except OSError as missing:
        raise NoPrinter from missing
    nothing, own_files = URLFetcher(allowed_protocols=[]), URLFetcher(allowed_protocols=["file"])
    fonts = FontConfiguration()
    style = weasyprint.CSS(filename=STYLE, url_fetcher=own_files, font_config=fonts)
    made = weasyprint.HTML(string=html, url_fetcher=nothing).write_pdf(stylesheets=[style], font_config=fonts)
    assert isinstance(made, bytes)
    return made


def page(template: str, **shown: object) -> str:
    """The page that is printed, as HTML."""
    return render_to_string(template, shown)
