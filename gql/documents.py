"""Documents over HTTP: `GET /documents/{kind}/{id}.{pdf|zpl}`, with the same credentials as GraphQL."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.access import Scope
from domain.documents import DocumentForm
from gql.errors import error_body, told
from gql.http import UNAUTHENTICATED, bearer
from gql.parts import Parts
from gql.schema.ids import row_id
from gql.scopes import DOCUMENTS
from services.callers import Caller
from services.documents import DocumentKind, Drawer
from services.ports.database import OUT_OF_REACH

ROWS = {
    DocumentKind.LABEL: "Parcel",
    DocumentKind.PACKING_SLIP: "Parcel",
    DocumentKind.PICK_LIST: "PickList",
    DocumentKind.INVOICE: "Invoice",
}
"""What each kind of document is of."""
FORMS = {form.lower(): form for form in DocumentForm}


def lacking_for(kind: str, caller: Caller) -> Scope | None:
    """The scope that a caller lacks for documents of this kind; of what is no document nobody lacks anything."""
    any_of = DOCUMENTS.get(kind, ())
    return any_of[0] if any_of and not caller.scopes.intersection(any_of) else None


class DocumentEndpoint:
    """Answers with files. What does not exist, and what is no document at all, is answered in the same way."""

    def __init__(self, parts: Parts, drawer: Drawer) -> None:
        self._parts = parts
        self._drawer = drawer

    async def __call__(self, request: Request) -> Response:
        try:
            caller = await self._parts.authenticate(bearer(request.headers.get("authorization")) or "")
            if caller is None:
                return JSONResponse(error_body("UNAUTHENTICATED", UNAUTHENTICATED), 401, {"WWW-Authenticate": "Bearer"})
            kind, name = request.path_params["kind"], request.path_params["name"]
            lacking = lacking_for(kind, caller)
            if lacking:
                message = f"This document needs the scope {lacking}, which this key does not have."
                return JSONResponse(error_body("FORBIDDEN", message, scope=lacking), 403)
            found = await self._draw(kind, name, caller)
        except OUT_OF_REACH as error:
            return JSONResponse(told(error), 503)
        except Exception as error:
            return JSONResponse(told(error), 500)
        return found or JSONResponse(error_body("BAD_USER_INPUT", "There is no such document."), 404)

    async def _draw(self, kind: str, name: str, caller: Caller) -> Response | None:
        named, _, form = name.rpartition(".")
        if kind not in ROWS or form not in FORMS:
            return None
        row = row_id(ROWS[DocumentKind(kind)], named)
        if row is None:
            return None
        found = await self._drawer.draw(DocumentKind(kind), row, FORMS[form], caller.visibility)
        if found is None:
            return None
        headers = {
            "Content-Disposition": f'inline; filename="{found.file_name}"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(found.content, media_type=found.content_type, headers=headers)
