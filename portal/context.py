"""What every page knows about the house."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def house(request: HttpRequest) -> dict[str, Any]:
    return {"brand": settings.BRAND, "support": settings.SUPPORT}
