"""What is sent to the database, by SQLAlchemy and by the driver directly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "SELECT current_setting('jit')", "WITH RECURSIVE typeinfo_tree")
"""Where transactions begin and end, and what the driver asks once a connection about the types of parameters."""


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent meanwhile, each with its parameters. BEGIN and COMMIT are not among them."""
    sent: list[tuple[str, Any]] = []
    heard: list[tuple[Any, Callable[..., None]]] = []

    def by_sqlalchemy(_connection, _cursor, statement, parameters, _context, _executemany):
        sent.append((" ".join(statement.split()), parameters))

    def by_driver(record):
        query = " ".join(record.query.split())
        if not query.startswith(NOT_COUNTED):
            sent.append((query, record.args))

    def listen(connection, *_):
        driver = connection.driver_connection
        driver.add_query_logger(by_driver)
        heard.append((driver, by_driver))

    event.listen(engine.sync_engine, "before_cursor_execute", by_sqlalchemy)
    event.listen(engine.sync_engine, "checkout", listen)
    try:
        yield sent
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", by_sqlalchemy)
        event.remove(engine.sync_engine, "checkout", listen)
        for driver, logger in heard:
            if not driver.is_closed():
                driver.remove_query_logger(logger)
