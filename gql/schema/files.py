"""Where documents are."""

import strawberry

from domain.documents import DocumentForm
from services.documents import DocumentKind

TYPES = {DocumentForm.PDF: "application/pdf", DocumentForm.ZPL: "application/vnd.zebra.zpl"}


@strawberry.type(description="A file that is drawn when it is asked for.")
class Document:
    """Where a file is."""

    path: str = strawberry.field(description="Its address on this server: GET it with the same Authorization header.")
    content_type: str = strawberry.field(description="What it is.")

    @classmethod
    def of(cls, kind: DocumentKind, id: str, form: DocumentForm = DocumentForm.PDF) -> "Document":
        return cls(path=f"/documents/{kind}/{id}.{form.lower()}", content_type=TYPES[form])
