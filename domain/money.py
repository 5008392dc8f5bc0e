"""Money: exact decimal amounts in the currencies of ISO 4217."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

ZERO = Decimal(0)
EXACT = Context(prec=100, rounding=ROUND_HALF_UP)
"""More digits than any sum of an order has: `with localcontext(EXACT)`."""

_OF_TWO = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC
    CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
    KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR
    NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
    TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
    """
_OF_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_OF_THREE = "BHD IQD JOD KWD LYD OMR TND"

MINOR_UNITS: Mapping[str, int] = {
    code: decimals for codes, decimals in ((_OF_NONE, 0), (_OF_TWO, 2), (_OF_THREE, 3)) for code in codes.split()
}
"""The currencies that people pay in, each with the decimals of its smallest amount. It is a closed list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An exact decimal amount in a currency of ISO 4217."""

    amount: Decimal
    currency_code: str


def rounded(amount: Decimal, currency_code: str) -> Decimal:
    """To what can be paid in the currency: halves go up. PostgreSQL's `round` says the same."""
    return amount.quantize(Decimal(1).scaleb(-MINOR_UNITS.get(currency_code, 2)), context=EXACT)


def can_be_paid(amount: Decimal, currency_code: str) -> bool:
    """Whether the amount has no more decimals than the currency has; zeros at the end do not count."""
    return amount == rounded(amount, currency_code)
