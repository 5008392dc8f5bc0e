"""The explorer: GraphiQL, served from the files in `gql/explorer`, which `make explorer` builds from `explorer/`."""

import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import Scope

FILES = Path(__file__).parent / "explorer"

# GraphiQL's dialogs and menus insert style elements of their own. Of connect-src, 'self' covers the WebSocket too.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # The names of the files stay the same from release to release, so the browser has to ask whether they changed.
    "Cache-Control": "no-cache",
}


class ExplorerFiles(StaticFiles):
    """The files of the explorer, each with the headers that keep the page to its own host."""

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """One file, or 304 where the browser has it already."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(HEADERS)
        return response


def explorer_routes() -> list[BaseRoute]:
    """`GET /graphql`, the page, and `/graphql/explorer/…`, what it loads.

    The routes for `POST` and the WebSocket at `/graphql` may stand before or after these.
    """
    files = ExplorerFiles(directory=FILES)

    async def page(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    return [Route("/graphql", page, methods=["GET"]), Mount("/graphql/explorer", files)]
