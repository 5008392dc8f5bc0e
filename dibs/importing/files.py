"""A file on disk, plain or compressed, as physical lines of text."""

import gzip
import lzma
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, cast

from dibs.importing.refusals import ImportRefused

LINE_CHARS_MAX = 1_000_000
ROW_LINES_MAX = 100

SENTENCES_BY_FIRST_BYTES = {
    b"\xff\xfe": "is UTF-16 text: save it as “CSV UTF-8” and import that.",
    b"\xfe\xff": "is UTF-16 text: save it as “CSV UTF-8” and import that.",
    b"PK\x03\x04": "is a workbook or a zip archive: save the sheet as “CSV UTF-8” and import that.",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook: save the sheet as “CSV UTF-8” and import that.",
    b"\x1f\x8b": "is compressed with gzip: give it a name that ends in .csv.gz.",
    b"\xfd7zXZ": "is compressed with xz: give it a name that ends in .csv.xz.",
}


class Lines:
    """The lines of a text; those of the row being read are held, so that a broken row can be read again."""

    def __init__(self, text: IO[str]) -> None:
        self.row_starts_at = 1
        self.held: list[str] = []
        self._read = text.readline
        self._again: deque[str] = deque()
        self._cut = False

    def begin_row(self) -> int:
        """Let go of the row before; returns the number of the line where the next one starts."""
        self.row_starts_at += len(self.held)
        self.held.clear()
        return self.row_starts_at

    def rewind(self) -> None:
        """Read all but the first line of the row again, as rows of their own."""
        self._again.extendleft(reversed(self.held[1:]))
        del self.held[1:]

    def pull(self) -> Iterator[str]:
        """Lines for one csv reader. Ends at the end of the file, or when a row has run over too many lines."""
        held = self.held
        while len(held) < ROW_LINES_MAX:
            line = self._again.popleft() if self._again else self._next()
            if not line:
                return
            held.append(line)
            yield line

    def flaw(self) -> str | None:
        """What makes the held lines unusable as text, if anything does."""
        for line in self.held:
            if len(line) > LINE_CHARS_MAX:
                return f"the line has more than {LINE_CHARS_MAX:,} characters"
            if "\0" in line:
                return "the row contains a NUL byte"
            if not line.isascii() and (broken := re.search("[\ud800-\udfff]", line)):
                return (
                    f"the row is not UTF-8 (byte 0x{ord(broken[0]) & 0xFF:02X}): save the file as “CSV UTF-8” to keep"
                    " every letter"
                )
        return None

    def too_long(self) -> bool:
        return any(len(line) > LINE_CHARS_MAX for line in self.held)

    def _next(self) -> str:
        try:
            while self._cut:  # the rest of a line that was too long
                self._cut = self._is_cut(self._read(LINE_CHARS_MAX + 1))
            line = self._read(LINE_CHARS_MAX + 1)
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
            raise ImportRefused(
                f"The file cannot be read to its end ({error}): it is damaged or incomplete; fetch it again."
            ) from error
        if len(line) > LINE_CHARS_MAX:
            self._cut = self._is_cut(line)
        return line

    @staticmethod
    def _is_cut(piece: str) -> bool:
        return len(piece) > LINE_CHARS_MAX and not piece.endswith(("\n", "\r"))


@contextmanager
def open_lines(path: Path) -> Iterator[tuple[Lines, Callable[[], int], int]]:
    """The lines of the file, a function that tells how many bytes of it have been read, and its size.

    Undecodable bytes arrive as lone surrogates, so that one bad row does not cost the file.
    """
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(path.open("rb"))
            size = path.stat().st_size
        except (OSError, ValueError) as error:
            raise ImportRefused(_why_not_opened(path, error)) from error
        stream = stack.enter_context(_decompressed(path, raw))
        _refuse_other_files(path, stream)
        text = stack.enter_context(TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline=""))
        yield Lines(text), raw.tell if raw.seekable() else lambda: 0, size


def _decompressed(path: Path, raw: BufferedReader) -> BufferedReader:
    match path.suffix.lower():
        case ".xz":
            return BufferedReader(cast("BufferedReader", lzma.LZMAFile(raw)))
        case ".gz":
            return BufferedReader(cast("BufferedReader", gzip.GzipFile(fileobj=raw)))
        case _:
            return raw


def _refuse_other_files(path: Path, stream: BufferedReader) -> None:
    try:
        first = stream.peek(8)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ImportRefused(
            f"{str(path)!r} cannot be read ({error}): it is damaged, or not what its name says."
        ) from error
    if not first:
        raise ImportRefused(f"{str(path)!r} is empty: it needs a line of headings and a row for each order line.")
    for magic, sentence in SENTENCES_BY_FIRST_BYTES.items():
        if first.startswith(magic):
            raise ImportRefused(f"{str(path)!r} {sentence}")


def _why_not_opened(path: Path, error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return f"There is no file {str(path)!r}: check the path."
        case IsADirectoryError():
            return f"{str(path)!r} is a folder: name the CSV file in it."
        case PermissionError():
            return f"{str(path)!r} may not be read by this user: change its permissions or run as its owner."
        case _:
            return f"{str(path)!r} cannot be opened ({error}): check the path."
