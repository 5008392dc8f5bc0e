"""The page by which a customer follows an order: one HTML document that needs no script, no font and no other file."""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape

from domain.journey_facts import Goods, Scan
from domain.journeys import Journey, ParcelTold, Stage, day
from domain.kinds import JourneyStage, Punctuality, StageProgress, TrackingStatus

STYLE = """
:root { color-scheme: light dark; --page: #f4f5f7; --card: #ffffff; --text: #1c2430; --faint: #5b6675;
  --line: #d9dee5; --done: #1a7f4b; --mark: #ffffff; --late: #8a4b00; --late-back: #fff3df; --note-back: #eef2f7;
  --link: #1257b0; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12161c; --card: #1b212a; --text: #e8ecf2; --faint: #a3adba; --line: #39424f; --done: #4cc38a;
    --mark: #10251a; --late: #ffca85; --late-back: #3a2a12; --note-back: #252d38; --link: #8fbcff; }
}
*, ::before, ::after { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
main { max-width: 42rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
.merchant { margin: 0 0 .75rem; color: var(--faint); font-weight: 600; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem;
  margin: 0 0 1rem; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; text-wrap: balance; }
h2 { margin: 0 0 .75rem; font-size: 1.0625rem; }
.order { margin: .375rem 0 0; color: var(--faint); }
.remark { margin: 1rem 0 0; padding: .625rem .875rem; border-radius: .5rem; background: var(--note-back); }
.remark.late { background: var(--late-back); color: var(--late); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem 1rem;
  margin: 1.25rem 0 0; }
dl.close { margin: 0 0 .75rem; }
dt { color: var(--faint); font-size: .875rem; }
dd { margin: 0; font-weight: 600; }
a { color: var(--link); }
ol, ul { list-style: none; margin: 0; padding: 0; }
.stages li { position: relative; padding: 0 0 1.125rem 2.25rem; }
.stages li:last-child { padding-bottom: 0; }
.stages li::before { content: ""; position: absolute; left: 0; top: .0625rem; width: 1.375rem; height: 1.375rem;
  border: 2px solid var(--line); border-radius: 50%; background: var(--card); z-index: 1; }
.stages li::after { content: ""; position: absolute; left: .6875rem; top: 1.25rem; bottom: -.25rem; width: 2px;
  margin-left: -1px; background: var(--line); }
.stages li:last-child::after { display: none; }
.stages .done::before { border-color: var(--done); background: var(--done); }
.stages .done > .tick { position: absolute; z-index: 2; left: .5rem; top: .3125rem; width: .375rem; height: .6875rem;
  border: solid var(--mark); border-width: 0 2px 2px 0; transform: rotate(45deg); }
.stages .partly::before { border-color: var(--done);
  background: linear-gradient(90deg, var(--done) 50%, var(--card) 50%); }
.stages .done.more::after { background: var(--done); }
.stages .to-come { color: var(--faint); }
.what { font-weight: 600; }
.to-come .what { font-weight: 400; }
.when { display: block; color: var(--faint); font-size: .875rem; }
h3 { margin: 1rem 0 .375rem; font-size: .9375rem; }
.scans li { padding: .375rem 0 .375rem .875rem; border-left: 2px solid var(--line); }
.said { display: block; }
.goods li { display: flex; gap: .75rem; padding: .375rem 0; border-top: 1px solid var(--line); }
.goods li:first-child { border-top: 0; }
.goods .units { flex: none; min-width: 2.5rem; color: var(--faint); font-variant-numeric: tabular-nums; }
.state { display: inline-block; margin: 0 0 .75rem; font-weight: 600; }
.state.came { color: var(--done); }
footer { color: var(--faint); font-size: .875rem; padding: 0 .25rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
"""
STYLE_SHA256 = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""By which the page's policy allows this style and no other."""

NAMES = {
    JourneyStage.PLACED: "Order placed",
    JourneyStage.ALLOCATED: "Reserved for you",
    JourneyStage.RELEASED: "Released for shipping",
    JourneyStage.SHIPPED: "Shipped",
    JourneyStage.DELIVERED: "Delivered",
}
CLASSES = {StageProgress.DONE: "done", StageProgress.PARTLY: "partly", StageProgress.TO_COME: "to-come"}
SPOKEN = {StageProgress.DONE: "done", StageProgress.PARTLY: "partly done", StageProgress.TO_COME: "still to come"}
LATE = (Punctuality.LATE, Punctuality.EXPECTED_LATE, Punctuality.CAME_LATE)


def tracking_page(journey: Journey | None) -> str:
    """The page of an order; None: of a link that leads nowhere."""
    if journey is None:
        return _notice("There is nothing here.", "This link leads to no order. Look whether all of it has been copied.")
    parts = (_head(journey), _stages(journey.stages), _parcels(journey.parcels), _ordered(journey), _foot())
    return _document(f"Order {journey.number}", "\n".join(filter(None, parts)))


def trouble_page() -> str:
    """The page of whatever order, where we cannot say just now."""
    return _notice("We cannot tell just now.", "Please load this page again in a moment.")


def _notice(title: str, words: str) -> str:
    return _document(title, _card(f"<h1>{title}</h1>", f'<p class="order">{words}</p>'))


def _document(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex, nofollow">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _card(*parts: str, tag: str = "section") -> str:
    inside = "\n".join(filter(None, parts))
    return f'<{tag} class="card">\n{inside}\n</{tag}>'


def _head(journey: Journey) -> str:
    merchant = f'<p class="merchant" dir="auto">{escape(journey.merchant)}</p>\n' if journey.merchant else ""
    late = journey.punctuality in LATE
    remarks = (
        f'<p class="remark{" late" if late and at == 0 else ""}">{escape(remark)}</p>'
        for at, remark in enumerate(journey.remarks)
    )
    card = _card(
        f"<h1>{escape(journey.headline)}</h1>",
        f'<p class="order">Order <bdi>{escape(journey.number)}</bdi>, placed {_day(journey.placed_at)}</p>',
        *remarks,
        _facts(_dates(journey)),
        tag="header",
    )
    return merchant + card


def _dates(journey: Journey) -> Iterator[tuple[str, str]]:
    if journey.delivered_at:
        yield "Delivered", _day(journey.delivered_at)
    if journey.estimated_delivery_at:
        yield "Expected by", _day(journey.estimated_delivery_at)
    if journey.estimated_ship_at:
        yield "Leaves by", _day(journey.estimated_ship_at)
    if journey.promised_delivery_at:
        yield "Promised for", _day(journey.promised_delivery_at)
    place = ", ".join(escape(one) for one in (journey.city, journey.country_code) if one)
    if place:
        yield "Goes to", f"<bdi>{place}</bdi>"


def _facts(pairs: Iterable[tuple[str, str]], *, close: bool = False) -> str:
    shown = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)
    start = '<dl class="close">' if close else "<dl>"
    return f"{start}{shown}</dl>" if shown else ""


def _stages(stages: tuple[Stage, ...]) -> str:
    items = []
    for at, stage in enumerate(stages):
        follows = at + 1 < len(stages) and stages[at + 1].progress is not StageProgress.TO_COME
        kind = CLASSES[stage.progress] + (" more" if follows and stage.progress is StageProgress.DONE else "")
        tick = '<span class="tick" aria-hidden="true"></span>' if stage.progress is StageProgress.DONE else ""
        name = NAMES[stage.name] + (", in part" if stage.progress is StageProgress.PARTLY else "")
        when = f'<span class="when">{_moment(stage.at)}</span>' if stage.at else ""
        items.append(
            f'<li class="{kind}">{tick}<span class="what">{name}</span>'
            f'<span class="unseen">: {SPOKEN[stage.progress]}.</span>{when}</li>'
        )
    return _card("<h2>How far it is</h2>", f'<ol class="stages">{"".join(items)}</ol>')


def _parcels(parcels: tuple[ParcelTold, ...]) -> str:
    several = len(parcels) > 1
    return "\n".join(_parcel(parcel, f"Parcel {at} of {len(parcels)}" if several else "Your parcel")
                     for at, parcel in enumerate(parcels, 1))  # fmt: skip


def _parcel(parcel: ParcelTold, name: str) -> str:
    came = " came" if parcel.stage is JourneyStage.DELIVERED else ""
    return _card(
        f"<h2>{name}</h2>",
        f'<p class="state{came}">{escape(parcel.words)}</p>',
        _facts(_parcel_facts(parcel), close=True),
        _goods(parcel.contents),
        _scans(parcel.scans),
    )


SCANNED = {
    TrackingStatus.UNKNOWN: "News from the carrier",
    TrackingStatus.PRE_TRANSIT: "The carrier has been told",
    TrackingStatus.IN_TRANSIT: "With the carrier",
    TrackingStatus.OUT_FOR_DELIVERY: "Out for delivery",
    TrackingStatus.AVAILABLE_FOR_PICKUP: "Ready for you to fetch",
    TrackingStatus.FAILURE: "Could not be delivered",
    TrackingStatus.RETURN_TO_SENDER: "On its way back to us",
    TrackingStatus.DELIVERED: "Delivered",
}


def _scans(scans: tuple[Scan, ...]) -> str:
    items = (
        f'<li><span class="what">{SCANNED[one.status]}</span>{_scan_words(one)}'
        f'<span class="when">{_moment(one.at)}</span></li>'
        for one in scans
    )
    return f'<h3>What the carrier says</h3><ol class="scans">{"".join(items)}</ol>' if scans else ""


def _scan_words(scan: Scan) -> str:
    words = ", ".join(f"<bdi>{escape(one)}</bdi>" for one in (scan.message, scan.place) if one)
    return f'<span class="said">{words}</span>' if words else ""


def _parcel_facts(parcel: ParcelTold) -> Iterator[tuple[str, str]]:
    if parcel.carrier:
        yield "Carrier", f"<bdi>{escape(parcel.carrier)}</bdi>"
    if parcel.tracking_number:
        yield "Tracking number", _linked(parcel.tracking_number, parcel.tracking_url)
    elif parcel.tracking_url:
        yield "Tracking", _linked("At the carrier", parcel.tracking_url)
    for told, moment in (
        ("Delivered", parcel.delivered_at),
        ("Shipped", parcel.shipped_at),
        ("Leaves by", parcel.estimated_ship_at),
        ("Expected by", parcel.estimated_delivery_at),
    ):
        if moment:
            yield told, _day(moment)


def _linked(text: str, url: str | None) -> str:
    shown = f"<bdi>{escape(text)}</bdi>"
    if not url or not url.startswith("https://"):
        return shown
    return f'<a href="{escape(url)}" rel="noopener noreferrer nofollow">{shown}</a>'


def _ordered(journey: Journey) -> str:
    return _card("<h2>What you ordered</h2>", _goods(journey.ordered)) if journey.ordered else ""


def _goods(goods: tuple[Goods, ...]) -> str:
    items = (
        f'<li><span class="units">{one.quantity:,} &times;</span><span dir="auto">{escape(one.title)}</span></li>'
        for one in goods
    )
    return f'<ul class="goods">{"".join(items)}</ul>' if goods else ""


def _foot() -> str:
    return "<footer><p>Load this page again to see what is new. All times are UTC.</p></footer>"


def _day(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f'<time datetime="{utc:%Y-%m-%d}">{day(utc)}</time>'


def _moment(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{day(utc)}, {utc:%H:%M}</time>'
