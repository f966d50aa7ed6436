"""The look: the parts, the frame, the theme and the operator's colour."""

import re
from pathlib import Path

import pytest
from django import forms
from django.conf import LazySettings, settings
from django.template import Context, Template, TemplateSyntaxError
from django.test import Client, RequestFactory

from portal import brand, navigation, theme
from portal.contrast import contrast, parsed, text_on

TEMPLATES = Path(settings.BASE_DIR) / "templates"


def shown(template: str, **context: object) -> str:
    return Template("{% load ui %}" + template).render(Context(context))


@pytest.fixture
def gallery(client: Client, settings: LazySettings) -> str:
    settings.DEBUG = True
    return client.get("/gallery").content.decode()


class TestGallery:
    def test_it_is_for_development_only(self, client: Client, settings: LazySettings) -> None:
        settings.DEBUG = False
        assert client.get("/gallery").status_code == 404

    def test_every_page_of_the_frame_is_linked(self, gallery: str) -> None:
        for address in (
            "/o/acme-research/",
            "/o/acme-research/usage",
            "/o/acme-research/billing",
            "/o/acme-research/keys",
        ):
            assert f'href="{address}"' in gallery

    def test_one_heading_and_a_way_past_the_menu(self, gallery: str) -> None:
        assert gallery.count("<h1>") == 1
        assert '<a class="skip" href="#main">' in gallery
        assert gallery.count('id="main"') == 1

    def test_ids_are_unique(self, gallery: str) -> None:
        ids = re.findall(r'\sid="([^"]+)"', gallery)
        assert sorted(ids) == sorted(set(ids))

    def test_the_policy_refuses_inline_code_and_the_page_has_none(self, client: Client, settings: LazySettings) -> None:
        settings.DEBUG = True
        answer = client.get("/gallery")
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert _inline_code(answer.content.decode()) == []


def test_no_template_has_inline_style_script_or_event_attributes() -> None:
    offenders = {
        str(file.relative_to(TEMPLATES)): found
        for file in TEMPLATES.rglob("*.html")
        if "email" not in file.relative_to(TEMPLATES).parts[:-1]
        if (found := _inline_code(file.read_text()))
    }
    assert offenders == {}


def _inline_code(page: str) -> list[str]:
    return re.findall(r"""\sstyle=["']|<style|\son[a-z]+=["']|\shx-on|<script(?![^>]*\ssrc=)|javascript:""", page)


class TestParts:
    def test_status_is_a_shape_and_a_word(self) -> None:
        mark = shown('{% status "warning" "Past due" %}')
        assert "status-warning" in mark
        assert mark.endswith("Past due</span>")
        assert 'aria-hidden="true"' in mark

    def test_an_unknown_status_or_icon_is_the_authors_mistake(self) -> None:
        with pytest.raises(KeyError):
            shown('{% status "great" "Active" %}')
        with pytest.raises(FileNotFoundError):
            shown('{% icon "no-such-icon" %}')
        with pytest.raises(TemplateSyntaxError):
            shown("{% notice %}")

    def test_words_are_escaped(self) -> None:
        assert "<b>" not in shown('{% status "ok" word %}', word="<b>")
        assert "<b>" not in shown('{% notice "plain" %}{{ word }}{% endnotice %}', word="<b>")

    @pytest.mark.parametrize(
        ("used", "most", "width", "kind"),
        [
            (9, 120, "7.50%", "use"),
            (120, 120, "100.00%", "warning"),
            (500, 120, "100.00%", "warning"),
            (1, 0, "0.00%", "use"),
        ],
    )
    def test_a_meter_stays_within_its_track(self, used: int, most: int, width: str, kind: str) -> None:
        mark = shown("{% meter used most %}", used=used, most=most)
        assert f'width="{width}"' in mark
        assert f"meter-{kind}" in mark

    def test_a_meter_with_a_label_is_read_out(self) -> None:
        assert 'role="img" aria-label="9 of 120"' in shown('{% meter 9 120 label="9 of 120" %}')
        assert 'aria-hidden="true"' in shown("{% meter 9 120 %}")

    def test_icons_are_drawn_in_the_colour_of_the_text(self) -> None:
        for file in (TEMPLATES / "icons").glob("*.svg"):
            drawing = file.read_text()
            assert 'stroke="currentColor"' in drawing
            assert 'aria-hidden="true"' in drawing


class TransferForm(forms.Form):
    amount = forms.DecimalField(
        help_text="From $5.00", widget=forms.TextInput(attrs={"inputmode": "decimal", "data-prefix": "$"})
    )
    note = forms.CharField(required=False)
    agreed = forms.BooleanField(label="I agree")
    speed = forms.ChoiceField(choices=[("slow", "Slow"), ("fast", "Fast")], widget=forms.RadioSelect)
    version = forms.CharField(widget=forms.HiddenInput)


class TestForms:
    def test_a_field_has_a_label_a_hint_and_its_prefix(self) -> None:
        page = str(TransferForm())
        assert '<label class="field-label" for="id_amount">Amount</label>' in page
        assert '<div class="field-hint" id="id_amount_helptext">From $5.00</div>' in page
        assert 'aria-describedby="id_amount_helptext"' in page
        assert '<span aria-hidden="true">$</span>' in page
        assert "(optional)" in page

    def test_an_error_stands_below_is_tied_to_the_field_and_keeps_the_value(self) -> None:
        page = str(TransferForm({"amount": "much", "agreed": "on", "speed": "slow", "version": "1"}))
        assert 'value="much"' in page
        assert 'aria-invalid="true"' in page
        assert 'aria-describedby="id_amount_helptext id_amount_error"' in page
        assert 'id="id_amount_error"' in page
        assert "fields need a change" not in page, "one mistake needs no summary"

    def test_more_than_one_error_is_summed_up_on_top(self) -> None:
        page = str(TransferForm({"amount": "much", "version": "1"}))
        assert "3 fields need a change." in page
        assert '<a class="link-inline" href="#id_amount">Amount</a>' in page

    def test_boxes_and_choices_have_their_labels_beside(self) -> None:
        page = str(TransferForm({"speed": "fast"}))
        assert '<input type="checkbox" name="agreed" class="checkbox"' in page
        assert '<label for="id_agreed">I agree</label>' in page
        assert re.search(r'class="radio" type="radio" name="speed" value="fast" id="id_speed_1" checked', page)
        assert "<legend>Speed</legend>" in page

    def test_hidden_fields_come_without_a_label(self) -> None:
        page = str(TransferForm())
        assert page.count('name="version"') == 1
        assert 'for="id_version"' not in page


class TestNavigation:
    def current(self, path: str) -> list[str]:
        groups = navigation.sidebar("acme", path)
        return [link.label for group in groups for link in group.links if link.current]

    @pytest.mark.parametrize(
        ("path", "label"),
        [
            ("/o/acme/", ["Overview"]),
            ("/o/acme/usage", ["Usage"]),
            ("/o/acme/billing", ["Billing"]),
            ("/o/acme/billing/buy", ["Billing"]),
            ("/o/acme/billings", []),
            ("/o/other/usage", []),
        ],
    )
    def test_at_most_one_place_is_current(self, path: str, label: list[str]) -> None:
        assert self.current(path) == label

    def test_on_phones_what_has_no_place_of_its_own_is_under_more(self) -> None:
        bar = navigation.bottom_bar("acme", "/o/acme/limits")
        assert [link.label for link in bar] == ["Overview", "Usage", "Billing", "Keys", "More"]
        assert [link.label for link in bar if link.current] == ["More"]


class TestTheme:
    def test_the_system_decides_until_somebody_chooses(self, gallery: str) -> None:
        assert '<html lang="en">' in gallery

    def test_a_choice_is_kept_and_names_the_theme(self, client: Client, settings: LazySettings) -> None:
        settings.DEBUG = True
        answer = client.post("/theme", {"theme": "dark", "next": "/gallery"})
        assert (answer.status_code, answer.headers["Location"]) == (302, "/gallery")
        assert answer.cookies["theme"]["httponly"]
        assert '<html lang="en" data-theme="purser-dark">' in client.get("/gallery").content.decode()
        client.post("/theme", {"theme": "system", "next": "/gallery"})
        assert '<html lang="en">' in client.get("/gallery").content.decode()

    @pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
    def test_it_never_leads_to_another_site(self, client: Client, to: str) -> None:
        assert client.post("/theme", {"theme": "dark", "next": to}).headers["Location"] == "/"

    def test_an_unknown_theme_or_a_get_changes_nothing(self, client: Client) -> None:
        assert "theme" not in client.post("/theme", {"theme": "pink"}).cookies
        assert client.get("/theme").status_code == 405

    def test_it_needs_the_forms_token(self) -> None:
        assert Client(enforce_csrf_checks=True).post("/theme", {"theme": "dark"}).status_code == 403

    def test_a_forged_cookie_is_ignored(self) -> None:
        request = RequestFactory().get("/", headers={"cookie": 'theme="><script>'})
        assert theme.chosen(request) == "system"


class TestBrand:
    @pytest.fixture
    def house(self, settings: LazySettings) -> dict[str, str]:
        settings.BRAND = {"name": "Acme", "accent_light": "#8A1C7C", "accent_dark": "#E9A6DF"}
        return dict(settings.BRAND)

    def test_the_default_accents_are_the_designers(self, client: Client) -> None:
        css = client.get("/brand.css").content.decode()
        assert ':root,[data-theme="purser"]{--color-primary:#0B5C69;--color-primary-content:#FFFFFF' in css
        assert "--tint:#EAF3F4}" in css
        assert '[data-theme="purser-dark"]{--color-primary:#5BBBC9;--color-primary-content:#06262C' in css

    def test_the_operators_accents_come_with_text_that_can_be_read(self, client: Client, house: dict[str, str]) -> None:
        answer = client.get("/brand.css")
        assert answer.headers["Content-Type"].startswith("text/css")
        css = answer.content.decode()
        assert "--color-primary:#8A1C7C;--color-primary-content:#FFFFFF" in css
        assert "--color-primary:#E9A6DF;--color-primary-content:#060C10" in css
        assert list(brand.problems(house)) == []

    def test_the_name_is_the_operators_everywhere(
        self, client: Client, house: dict[str, str], settings: LazySettings
    ) -> None:
        settings.DEBUG = True
        assert "Components and states · Acme" in client.get("/gallery").content.decode()

    def test_the_default_is_readable(self) -> None:
        assert list(brand.problems(settings.BRAND)) == []

    def test_a_pale_accent_is_refused_with_its_figures(self) -> None:
        found = list(brand.problems({"accent_light": "#FFD400", "accent_dark": "#5BBBC9"}))
        assert len(found) == 2
        assert found[0].startswith("BRAND_ACCENT_LIGHT: #FFD400 has a contrast of 1.4:1 with the page")

    @pytest.mark.parametrize("wrong", ["teal", "#FFF", "red;}*{display:none", ""])
    def test_what_is_no_colour_is_refused(self, wrong: str) -> None:
        assert "is not a colour" in next(iter(brand.problems({"accent_light": wrong, "accent_dark": "#5BBBC9"})))

    def test_contrast_as_the_guideline_has_it(self) -> None:
        black, white = parsed("#000000"), parsed("#FFFFFF")
        assert contrast(black, white) == pytest.approx(21)
        assert contrast(white, white) == 1
        assert contrast(parsed("#767676"), white) == pytest.approx(4.54, abs=0.01)
        assert text_on(black) == white


class TestErrorPages:
    @pytest.mark.parametrize("page", ["400.html", "403.html", "404.html", "403_csrf.html", "500.html", "503.html"])
    def test_they_render_where_nothing_else_works(self, page: str) -> None:
        """Django renders some of them without a request and without context processors."""
        from django.template.loader import get_template

        text = get_template(page).render({})
        assert "<h1>" in text
        assert "Purser" in text
