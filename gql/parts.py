"""What every way in needs."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from gql.context import Context
from gql.entries import Entry
from gql.execution import Executor
from gql.hub import Hub
from gql.spending import Spending
from services.callers import Caller


@dataclass(frozen=True, slots=True)
class Parts:
    """Made once for the process.

    `watched`: while the block runs, the callback is called once the caller's key opens nothing any more.
    """

    executor: Executor
    hub: Hub
    authenticate: Callable[[str], Awaitable[Caller | None]]
    watched: Callable[[Caller, Callable[[], None]], AbstractContextManager[None]]
    make_context: Callable[[Caller], Context]
    spending: Spending = field(default_factory=Spending)
    origins: tuple[str, ...] = ()
    """Whose pages may open sockets, besides our own."""
    ended: Callable[[Entry], None] = lambda _: None
    """Is told every operation of a socket when it is over; it must neither wait nor fail."""
    around: Callable[[Entry], AbstractContextManager[None]] = lambda _: nullcontext()
    """Entered around every operation of a socket."""
