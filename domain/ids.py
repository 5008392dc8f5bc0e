"""Identities. Database ids are integers; natural keys are text that never changes once it is given out."""

from typing import NamedTuple, NewType

ChannelId = NewType("ChannelId", int)
ItemId = NewType("ItemId", int)
LocationId = NewType("LocationId", int)
OrderId = NewType("OrderId", int)
LineId = NewType("LineId", int)
BundleId = NewType("BundleId", int)
AllocationId = NewType("AllocationId", int)
ReservationId = NewType("ReservationId", int)
ReservedLineId = NewType("ReservedLineId", int)
RunId = NewType("RunId", int)
SupplyId = NewType("SupplyId", int)
KeyId = NewType("KeyId", int)
EventId = NewType("EventId", int)
EndpointId = NewType("EndpointId", int)
DeliveryId = NewType("DeliveryId", int)
FulfillmentId = NewType("FulfillmentId", int)
FulfillmentLineId = NewType("FulfillmentLineId", int)
PickTaskId = NewType("PickTaskId", int)
PickListId = NewType("PickListId", int)
ParcelId = NewType("ParcelId", int)
ReturnId = NewType("ReturnId", int)
ReturnLineId = NewType("ReturnLineId", int)
InvoiceId = NewType("InvoiceId", int)
AlertId = NewType("AlertId", int)
MailId = NewType("MailId", int)


class RowName(NamedTuple):
    """A row that has no name of its own, by its kind and id."""

    kind: str
    row: int


Sku = NewType("Sku", str)
"""NFC, trimmed, case-sensitive."""

LevelKey = tuple[ItemId, LocationId]
"""One SKU at one location."""

BinKey = tuple[ItemId, LocationId, str]
"""One SKU in one bin of a location."""
