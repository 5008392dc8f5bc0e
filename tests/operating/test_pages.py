"""The pages for those who keep Dibs running say what is there, and all of it."""

import re
from pathlib import Path

from dibs.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_readme_has_every_setting_and_no_other():
    settings = README.partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(DIBS_[A-Z_]+)` \|", settings, re.MULTILINE)

    assert sorted(rows) == sorted(f"DIBS_{name.upper()}" for name in Settings.model_fields)
