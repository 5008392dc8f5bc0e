"""`make twins` takes minutes; that its table still fits the code takes none."""

import pytest

from proof.naive import TWINS, Twin
from tests.acceptance.processes import ROOT


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_a_naive_twin_fits_the_code_and_names_tests_that_are_there(twin: Twin):
    for edit in twin.edits:
        assert (ROOT / edit.file).read_text().count(edit.old) == 1, f"{edit.file} has changed: see proof/naive.py"
    for test in twin.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text()
