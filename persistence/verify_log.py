"""The log for `persistence.verify`: what of it must be whole, once old events are no longer kept."""

LOG = "(SELECT * FROM events WHERE position IS NULL OR position > (SELECT position FROM log_start)) AS events"
"""What is kept. Older rows are there only until webhooks have delivered them."""

CUT = "(SELECT position > 0 FROM log_start)"
"""Whether old events are gone, so that something's first events may be missing, or all of them."""


def broken_versions(versioned: str) -> str:
    """True where the events of something (alias `e`: events, versions, first, last) do not lead up to its version."""
    version = f"{versioned}.version"
    since_first = f"{version} - e.first + 1"
    return f"""NOT coalesce(CASE WHEN e.last IS NULL THEN {CUT} AND {version} IS NOT NULL
        ELSE (e.last, e.events, e.versions) = ({version}, {since_first}, {since_first}) AND (e.first = 1 OR {CUT})
        END, false)"""
