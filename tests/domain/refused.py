"""What a batch refuses leaves no trace in it."""

import pytest


def unchanged(batch, refusal, operation):
    """It is refused, and nothing has moved."""
    before = batch.facts()
    with pytest.raises(refusal) as refused:
        operation()
    assert batch.facts() == before
    return refused.value
