"""Facts in, a file out: the documents as whoever asks for them gets them."""

import re
from collections.abc import Callable

from documents.invoice import invoice_pdf
from documents.packing_slip import packing_slip_pdf
from documents.pick_list import pick_list_pdf
from documents.shipping_label import shipping_label_pdf
from documents.zpl import shipping_label_zpl
from domain.documents import Document, DocumentForm, Invoice, PackingSlip, PickList, Rendered, ShippingLabel

CONTENT_TYPES = {DocumentForm.PDF: "application/pdf", DocumentForm.ZPL: "application/vnd.zebra.zpl"}
NAME_LENGTH_MAX = 100


class Documents:
    """Draws documents: a `services.ports.documents.Renderer`. It waits for nothing, and takes what drawing takes."""

    def render(self, document: Document, form: DocumentForm = DocumentForm.PDF) -> Rendered:
        """Only a shipping label can be had as ZPL: asking for another is a mistake of ours."""
        name, draw = _drawing(document, form)
        return Rendered(
            content=draw(), content_type=CONTENT_TYPES[form], file_name=f"{_file_name(name)}.{form.value.lower()}"
        )


def _drawing(document: Document, form: DocumentForm) -> tuple[str, Callable[[], bytes]]:
    """What the file is called, and how it is made."""
    if isinstance(document, ShippingLabel):
        draw = shipping_label_zpl if form is DocumentForm.ZPL else shipping_label_pdf
        return f"label-{document.reference}-{document.parcel}", lambda: draw(document)
    assert form is DocumentForm.PDF, "only shipping labels are written as ZPL"
    if isinstance(document, PackingSlip):
        return f"packing-slip-{document.order_number}-{document.parcel}", lambda: packing_slip_pdf(document)
    if isinstance(document, PickList):
        return f"pick-list-{document.reference}", lambda: pick_list_pdf(document)
    assert isinstance(document, Invoice)
    return f"invoice-{document.full_number}", lambda: invoice_pdf(document)


def _file_name(name: str) -> str:
    """Of letters, digits and hyphens that mean nothing to any file system or header."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name)[:NAME_LENGTH_MAX].strip("-")
