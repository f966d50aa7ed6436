"""Reads the mail that the portal writes to files, so that `make run` can show the links in it."""

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# What Django's file backend puts after each message.
BETWEEN = b"-" * 79


@dataclass(frozen=True)
class Letter:
    to: str
    subject: str
    links: tuple[str, ...]


class Mailbox:
    """A folder of letters. `new()` gives each letter once; those already there at the beginning are old."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self._link = re.compile(re.escape(address) + r"/[^\s<>\"')\]]*")
        self._read = {file: file.stat().st_size for file in self._files()}

    def new(self) -> Iterator[Letter]:
        """The letters that came since the last call, those written whole."""
        for file in self._files():
            read = self._read.get(file, 0)
            if file.stat().st_size <= read:
                continue
            text = file.read_bytes()[read:]
            whole = text.rfind(BETWEEN)
            if whole < 0:
                continue
            self._read[file] = read + whole + len(BETWEEN)
            for part in text[:whole].split(BETWEEN):
                if part.strip():
                    yield self._open(part.lstrip())

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.log"))

    def _open(self, text: bytes) -> Letter:
        letter = email.message_from_bytes(text, policy=email.policy.default)
        body = letter.get_body(("plain", "html"))
        found = self._link.findall(str(body.get_content())) if body else []
        return Letter(str(letter["To"]), str(letter["Subject"]), tuple(dict.fromkeys(found)))
