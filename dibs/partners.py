"""Others that Dibs speaks to, made from the settings: the mail server, carriers, and whoever vouches for people."""

from carriers.easypost import EasyPost
from dibs.oidc import OpenIdIssuer
from dibs.settings import Settings
from workers.smtp import SmtpSender, mail_server, sender_address


def smtp_sender(settings: Settings) -> SmtpSender | None:
    """None: there is no mail server, so no mail is written either."""
    if settings.smtp_url is None or settings.mail_from is None:
        return None
    server = mail_server(settings.smtp_url.get_secret_value(), allow_loopback=settings.smtp_allow_loopback)
    return SmtpSender(server, sender_address(settings.mail_from))


def easypost(settings: Settings) -> EasyPost | None:
    """The carrier behind an API, if there is one; whoever asks for it closes it."""
    if settings.carrier_easypost_url is None or settings.carrier_easypost_key is None:
        return None
    key = settings.carrier_easypost_key.get_secret_value()
    return EasyPost(settings.carrier_easypost_url, key, allow_loopback=settings.carrier_allow_loopback)


def openid_issuer(settings: Settings) -> OpenIdIssuer | None:
    """Who vouches for people, if anybody does; whoever asks for it closes it."""
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    return OpenIdIssuer(
        settings.oidc_issuer,
        settings.oidc_audience,
        roles_claim=settings.oidc_roles_claim,
        name_claim=settings.oidc_name_claim,
        allow_loopback=settings.oidc_allow_loopback,
    )
