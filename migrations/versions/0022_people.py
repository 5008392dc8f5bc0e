"""People whom an issuer of tokens vouches for have a row beside the keys, which opens nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in ("issuer", "subject"):
        op.add_column("api_keys", sa.Column(name, sa.Text(collation="C"), nullable=True))
    op.create_unique_constraint(op.f("api_keys_issuer_subject_key"), "api_keys", ["issuer", "subject"])
    op.create_check_constraint(
        op.f("a_person_has_an_issuer_and_powers_by_no_key"),
        "api_keys",
        "(issuer IS NULL) = (subject IS NULL) AND (issuer IS NULL OR scopes = '{}')",
    )
    op.create_table_comment(
        "api_keys",
        "What opens the API. Of secrets only the SHA-256 is kept. `channels`, `locations`: null is no limit. "
        "A row with an issuer is a person, who comes with tokens: its secret is known to nobody.",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table_comment(
        "api_keys",
        "What opens the API. Of secrets only the SHA-256 is kept. `channels`, `locations`: null is no limit.",
    )
    op.drop_constraint(op.f("a_person_has_an_issuer_and_powers_by_no_key"), "api_keys")
    op.drop_constraint(op.f("api_keys_issuer_subject_key"), "api_keys")
    for name in ("subject", "issuer"):
        op.drop_column("api_keys", name)
