"""How much is tried: a little in `make test`, all of it in `make hammer` and `make chaos` (DIBS_PROOF=full)."""

import os

FULL = os.environ.get("DIBS_PROOF") == "full"
