"""How much is tried: a little in `make test`, all of it in the slow proofs of the Makefile (DIBS_PROOF=full)."""

import os

FULL = os.environ.get("DIBS_PROOF") == "full"
