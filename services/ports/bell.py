"""Who tells that the log has grown."""

from typing import Protocol


class Bell(Protocol):
    """Rings when the log has grown. It carries nothing, and may be lost: every wait also ends by itself."""

    def ring(self) -> None:
        """Tell everybody who waits, here and on other nodes; never waits and never fails."""

    async def wait(self, seconds_max: float, heard: int | None = None) -> int:
        """Until it has rung more often than `heard`, or so long at most; how often it has rung.

        Whoever passes on what the wait before answered misses no ring in between. Any number may wait.
        """
