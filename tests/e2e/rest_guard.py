"""Who may enter a REST catalog: guards for fault_proxy.FaultProxy, and a server of OAuth2 tokens.

The REST fixture itself takes any token; a guard in front of it does not.
"""

import base64
import itertools
import time
import urllib.parse

from faults import error_answer
from http_service import HttpService, Response
from signatures import Refused, verify


def _refuse(code, message, status=None):
    return Response(*error_answer("rest", code, message, status))


class Bearer:
    """Takes tokens that are valid; `valid` may be changed while it runs. expired: status for the others."""

    def __init__(self, *tokens, expired=401):
        self.valid = set(tokens)
        self.expired = expired
        self.refused = 0

    def __call__(self, request):
        given = request.header("authorization") or ""
        if given.startswith("Bearer ") and given[7:] in self.valid:
            return None
        self.refused += 1
        code = "AuthenticationTimeoutException" if self.expired == 419 else "NotAuthorizedException"
        return _refuse(code, "no valid token" if given else "no token", self.expired)


class OfServer:
    """Takes the tokens that a TokenServer gave and that did not end since. expired: status for the others."""

    def __init__(self, tokens, expired=401):
        self.tokens = tokens
        self.expired = expired
        self.refused = 0

    def __call__(self, request):
        given = request.header("authorization") or ""
        if given.startswith("Bearer ") and self.tokens.is_valid(given[7:]):
            return None
        self.refused += 1
        code = "AuthenticationTimeoutException" if self.expired == 419 else "NotAuthorizedException"
        return _refuse(code, "The token is unknown or has ended", self.expired)


class Basic:
    def __init__(self, user, password):
        self.expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def __call__(self, request):
        if request.header("authorization") == self.expected:
            return None
        return _refuse("NotAuthorizedException", "wrong user or password")


class Signed:
    """Takes requests signed by SigV4 for a service, as Glue's and S3 Tables' REST endpoints do."""

    def __init__(self, keys, region="us-east-1", service="execute-api"):
        self.keys = keys
        self.region = region
        self.service = service

    def __call__(self, request):
        try:
            verify(request, self.keys, self.service, self.region)
        except Refused as e:
            return _refuse("ForbiddenException", f"{e.code}: {e.message} {e.extra or ''}")
        return None


class TokenServer(HttpService):
    """OAuth2 client credentials: POST anything. basic: clients authenticate by header, not in the form.

    form_last: the fields of the last request.
    """

    protocol = "plain"

    def __init__(self, client_id, client_secret, scope="catalog", expires_in=3600, basic=False, tls=None):
        super().__init__(tls)
        self.client = client_id, client_secret
        self.scope = scope
        self.expires_in = expires_in
        self.basic = basic
        self.form_last = None
        self._tokens = {}
        self._serial = itertools.count(1)

    def operation(self, request):
        return "Token"

    def is_valid(self, token):
        return self._tokens.get(token, 0) > time.monotonic()

    def revoke_all(self):
        """All tokens end now."""
        self._tokens.clear()

    def _client(self, request, form):
        header = request.header("authorization") or ""
        if not header.startswith("Basic "):
            return None if self.basic else (form.get("client_id"), form.get("client_secret"))
        user, _, password = base64.b64decode(header[6:]).decode().partition(":")
        return urllib.parse.unquote(user), urllib.parse.unquote(password)

    def answer(self, request):
        kind = (request.header("content-type") or "").partition(";")[0]
        form = self.form_last = dict(urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True))
        problem = None
        if request.method != "POST" or kind != "application/x-www-form-urlencoded":
            problem = 400, "invalid_request", f"expected a form by POST, found {request.method} {kind}"
        elif form.get("grant_type") != "client_credentials":
            problem = 400, "unsupported_grant_type", f"found {form.get('grant_type')!r}"
        elif self._client(request, form) != self.client:
            problem = 401, "invalid_client", "unknown client or wrong secret"
        elif form.get("scope") != self.scope:
            problem = 400, "invalid_scope", f"expected {self.scope!r}, found {form.get('scope')!r}"
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        if problem:
            status, code, text = problem
            return Response(status, headers, f'{{"error":"{code}","error_description":"{text}"}}'.replace("'", ""))
        token = f"token-{next(self._serial)}"
        self._tokens[token] = time.monotonic() + self.expires_in
        return Response(200, headers, f'{{"access_token":"{token}","token_type":"bearer",'
                        f'"issued_token_type":"urn:ietf:params:oauth:token-type:access_token",'
                        f'"expires_in":{int(self.expires_in)},"scope":"{self.scope}"}}')
