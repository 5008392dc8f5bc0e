"""Where the next page of a list begins."""

from typing import Any

Seek = tuple[Any, ...]
"""The sort key of the last row of the page before."""
