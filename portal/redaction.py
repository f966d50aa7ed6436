"""What never stands in a log: keys, tokens, secrets and e-mail addresses, wherever in a line they turn up.

The line is cleaned when it is complete, as text: then it does not matter whether an address came in a field, in the words of
an exception or in the path of a request.
"""

import re
from typing import Any

MARK = "[redacted]"
# In a rendered line other letters stand as \u00e4, quotation marks and line breaks with a backslash: whole or not at all.
LABEL = r"(?:[^\s@\"'<>()\[\],;:=/?&%.\\]|\\u[0-9a-f]{4})"
DOMAIN = rf"(?:(?:{LABEL}{{1,63}}\.){{1,8}}{LABEL}{{2,63}}|localhost\b|\[[0-9A-Fa-f.:]{{2,45}}\])"
QUOTED = r"\\{0,3}\"[^\"@]{1,80}+\""
LOCAL = r"(?:[^\s@\"'<>()\[\],;:=/?&\\]|\\.){1,64}+"

KEEPING = (
    # The password in the address of a database or a queue.
    (re.compile(r"(://[^\s:/@\"]*:)[^\s/@\"]+(?=@)"), rf"\1{MARK}"),
    # `Authorization` in whatever spelling.
    (re.compile(r"(?i)\b((?:bearer|basic)(?:\s|%20)+)[A-Za-z0-9._~+/=-]{6,}"), rf"\1{MARK}"),
    # The one-time keys that allauth puts into the paths of its mails.
    (re.compile(r"(/password/reset/key/)(?!done\b)[^\s/\"?]+"), rf"\1{MARK}"),
    (re.compile(r"(/confirm-email/)[^\s/\"?]+"), rf"\1{MARK}"),
    # Signed links of our own mails: whoever has one may do what it says.
    (re.compile(r"((?<!/alerts)/billing-email/|/recharge/(?:stop|finish)/)[^\s/\"?]+"), rf"\1{MARK}"),
)
WHOLE = re.compile(
    r"\b(?:sk|gw)-purser-[A-Za-z0-9_-]+"
    r"|\b(?:sk|rk)_(?:test|live)_[A-Za-z0-9_]+"
    r"|\bwhsec_[A-Za-z0-9_+/=]+"
    r"|\b[a-z]{2,8}_[A-Za-z0-9_]{1,80}?_secret_[A-Za-z0-9]+"
)
EMAIL = re.compile(rf"(?<!\\)(?:{QUOTED}|{LOCAL})@{DOMAIN}|[\w.+-]{{1,64}}+(?:%2[Bb][\w.+-]{{0,64}}+)?%40{DOMAIN}")


def clean(text: str) -> str:
    """`text` without what must not be kept."""
    for pattern, kept in KEEPING:
        text = pattern.sub(kept, text)
    text = WHOLE.sub(MARK, text)
    if "@" in text or "%40" in text:
        text = EMAIL.sub(MARK, text)
    return text


def line(logger: Any, method: str, rendered: str) -> str:
    """The last processor of a log line, after the one that renders it."""
    return clean(rendered)
