"""How people sign up: an account is made together with its Personal organization."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.signup import prevent_enumeration
from allauth.core.exceptions import ImmediateHttpResponse
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from orgs import founding, throttle
from orgs.models import User

LONGEST_EMAIL = 254


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    def clean_email(self, email: str) -> str:
        """Longer than its column an address would be cut off, and mail would go to another one."""
        if len(email) > LONGEST_EMAIL:
            raise ValidationError(f"An e-mail address has at most {LONGEST_EMAIL} characters.")
        return str(super().clean_email(email))

    def get_client_ip(self, request: HttpRequest) -> str:
        """Where allauth's own limits count by: the same address as everybody else's."""
        return throttle.address(request)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """A new account. Two sign-ups with one address at the same moment make one account and get the same answer."""
        if not commit:
            super().save_user(request, user, form, commit=False)
            return user
        # allauth calls this as its view would: here the clock is read.
        now = timezone.now()  # noqa: TID251
        try:
            with transaction.atomic():
                super().save_user(request, user, form)
                founding.found_personal(user, now)
        except IntegrityError as error:
            if not User.objects.filter(email__iexact=user.email).exists():
                raise
            # The answer for an address that has an account already: it does not tell that it has.
            raise ImmediateHttpResponse(prevent_enumeration(request, email=user.email)) from error
        return user
