"""Whatever is wrong with the rows, `tests.services.always` says so: or else the state machine would prove nothing."""

from typing import Any

import pytest

from tests.services.always import Always, Rows

CHANGED, MOVED = "OrderChanged", "AllocationStatusChanged"
PLACED = [
    (1, "1", 1, CHANGED, None, False, False, [], []),
    (2, "2", 1, CHANGED, None, False, False, [], []),
    (3, "1", 2, CHANGED, None, False, False, ["OTHER"], []),
    (4, "1", 2, MOVED, "ALLOCATED", None, None, [], []),
    (5, "1", 3, CHANGED, None, True, False, [], ["OTHER"]),
    (6, "2", 2, CHANGED, None, False, False, [], []),
]
"""Order 1 was allocated, held, let go and released."""
SOUND = Rows(
    levels=[("CHAIR", "LEEDS", 5, 1, 0, 0, 5, 1, 1), ("CHAIR", "YORK", 0, 0, 0, 0, 0, 0, 0)],
    orders=[("1", "FINALIZED"), ("2", "VOID")],
    lines=[
        ("1", 0, "CHAIR", 6, 0, True, 2, 0, 3, 1, None, 0),
        ("2", 0, "CHAIR", 1, 1, False, 0, 0, 0, 0, None, 0),
    ],
    claims=[("1", 0, "LEEDS", 3, 1, 1, 70), ("cart 1", 0, "LEEDS", 2, 0, 0, None)],
    ledger=[
        ("CHAIR", "LEEDS", "ON_HAND", "RECEIVED", 9),
        ("CHAIR", "LEEDS", "ON_HAND", "SHIPPED", -2),
        ("CHAIR", "LEEDS", "ON_HAND", "TRANSFER_OUT", -3),
        ("CHAIR", "LEEDS", "ON_HAND", "RETURNED", 1),
        ("CHAIR", "LEEDS", "DAMAGED", "DAMAGE", 1),
    ],
    carts=[("cart 1", 81, "ACTIVE", None), ("cart 2", 82, "TAKEN_OVER", "1")],
    cart_lines=[("cart 1", 0, "CHAIR", 2, 91), ("cart 2", 0, "CHAIR", 1, 92)],
    transfers=[("T1", "EXPECTED", "LEEDS", "YORK")],
    transfer_lines=[("T1", "CHAIR", 3, 0, 0, 0)],
    sent=[(70, "1", "LEEDS", "STOCK", "PICKING"), (71, "1", "LEEDS", "STOCK", "SHIPPED")],
    sent_lines=[],
    parcels=[],
    returns=[(60, "1", "LEEDS", "INSPECTED")],
    return_lines=[(60, 61, 0, 1, 1, 0, 1, 0, 0)],
    follow_ups=[],
    holds=[("1", None, 1)],
    log=PLACED,
    ids=[],
)


def with_row(name: str, at: int, **values: Any) -> Rows:
    """With other values, by column, in one row."""
    rows = list(getattr(SOUND, name))
    row = list(rows[at])
    for column, value in values.items():
        row[int(column.removeprefix("c"))] = value
    rows[at] = tuple(row)
    return SOUND._replace(**{name: rows})


BROKEN = {
    "I1: CHAIR at LEEDS": with_row("claims", 1, c3=1),
    "I1: the flags of CHAIR": with_row("claims", 1, c4=1),
    "I1: line 0 of 1": with_row("lines", 0, c8=2),
    "I2: line 0 of 1": with_row("lines", 0, c3=4),
    "I2: line 0 of 2": with_row("lines", 1, c4=-1),
    "I3: ON_HAND of CHAIR at LEEDS": with_row("ledger", 0, c4=8),
    "I3: the ledger knows more": SOUND._replace(ledger=[*SOUND.ledger, ("LAMP", "LEEDS", "DAMAGED", "DAMAGE", 1)]),
    "I4: CHAIR at YORK": with_row("levels", 1, c8=-1),
    "I4: more of CHAIR is apart": with_row("levels", 1, c8=1),
    "I5: the version of 1": with_row("log", 2, c2=3),
    "I9: 1 was released and is PARTIALLY_ALLOCATED": with_row("log", 3, c4="PARTIALLY_ALLOCATED"),
    "I9: 2 was released and is UNALLOCATED": with_row("log", 5, c5=True),
    "I9: nobody asked to release a part of 2": with_row("log", 5, c6=True),
    "I9: 1 was released and is held": with_row("log", 4, c8=[]),
    "I10: CHAIR left, and is not shipped": with_row("lines", 0, c6=1),
    "I10: CHAIR is on its way, and is not in transit": with_row("transfer_lines", 0, c2=2),
    "I10: T1 is over": with_row("transfers", 0, c1="RECEIVED"),
    "I10: CHAIR came back, and is on no shelf": with_row("return_lines", 0, c6=0),
    "I11: cart 1 is TAKEN_OVER, and None's": with_row("carts", 0, c2="TAKEN_OVER"),
    "I11: a cart that has ended holds units": with_row("carts", 0, c2="RELEASED"),
    "I14: {'2'} are void, and have left": with_row("sent", 1, c1="2"),
    "I14: {'2'} are void, and held": with_row("holds", 0, c0="2", c1=["OTHER"]),
}
LATER = {
    "I11: cart 2 was taken over twice": with_row("carts", 1, c3="2"),
    "I15: ('order', '2') was VOID and is FINALIZED": with_row("orders", 1, c1="FINALIZED"),
    "I15: ('cart', 82) was TAKEN_OVER and is ACTIVE": with_row("carts", 1, c2="ACTIVE", c3=None),
    "I15: ('fulfillment', 71) was SHIPPED and is CANCELED": with_row("sent", 1, c4="CANCELED"),
    "I15: ('fulfillment', 70) was PICKING and is RELEASED": with_row("sent", 0, c4="RELEASED"),
    "I15: ('return', 60) was INSPECTED and is RECEIVED": with_row("returns", 0, c3="RECEIVED"),
}
"""What was sound a step before."""


def test_what_is_sound_passes_again_and_again():
    always = Always()
    always.look(SOUND)
    always.look(SOUND._replace(log=[]))


@pytest.mark.parametrize("told", BROKEN)
def test_what_is_broken_is_told_by_its_invariant(told: str):
    with pytest.raises(AssertionError) as error:
        Always().look(BROKEN[told])

    assert str(error.value).startswith(told)


@pytest.mark.parametrize("told", LATER)
def test_what_has_changed_against_the_rules_is_told(told: str):
    always = Always()
    always.look(SOUND)

    with pytest.raises(AssertionError) as error:
        always.look(LATER[told]._replace(log=[]))

    assert str(error.value).startswith(told)
