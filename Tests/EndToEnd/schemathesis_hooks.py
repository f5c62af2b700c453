"""Loaded by schemathesis: how it logs in."""

import json
import os
import urllib.request

import schemathesis


# Some operations end sessions, so that a token is not believed for long.
@schemathesis.auth(refresh_interval=2)
class Login:
    def get(self, case, context):
        body = {"username": "admin", "password": os.environ["PLEXI_E2E_PASSWORD"]}
        request = urllib.request.Request(
            os.environ["PLEXI_E2E_URL"] + "/api/v1/auth/login", json.dumps(body).encode(),
            {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["access_token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.serializer("application/offset+octet-stream")
def piece(context, value):
    """A piece of a file is any bytes."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def description(context, value):
    """Session descriptions are text; any text is tried."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
