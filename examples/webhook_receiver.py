"""Receives webhooks of Dibs, verifies them, and prints each event once.

    WEBHOOK_SECRET=whsec_… python examples/webhook_receiver.py 9000

A real receiver writes the event and its `webhook-id` in one transaction, and then answers: what was answered with 2xx
is not sent again, and everything else is, so the same id may well come twice.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

BODY_BYTES_MAX = 1_000_000
SECRETS = [Webhook(secret) for secret in os.environ["WEBHOOK_SECRET"].split()]
"""Two while a secret is being turned, separated by a space."""
seen: set[str] = set()


def verified(body: bytes, headers: dict[str, str]) -> dict | None:
    """What the webhook says; None where none of our secrets has signed it."""
    for secret in SECRETS:
        try:
            return secret.verify(body, headers)
        except (WebhookVerificationError, ValueError):
            continue
    return None


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        if length > BODY_BYTES_MAX:
            return self.send_error(413)
        event = verified(self.rfile.read(length), dict(self.headers))
        if event is None:
            return self.send_error(401, "not signed by us")
        if self.headers["webhook-id"] not in seen:
            seen.add(self.headers["webhook-id"])
            print(event["type"], event["data"], flush=True)
        self.send_response(204)
        return self.end_headers()

    def log_message(self, *_: object) -> None:
        """Only events are printed."""


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver) as server:
        print(f"listening on {server.server_port}", flush=True)
        server.serve_forever()
