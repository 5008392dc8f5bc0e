"""Others that Dibs speaks to, made from the settings: the mail server, and carriers."""

from carriers.easypost import EasyPost
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
