"""A reverse proxy on loopback that makes S3, Glue and REST catalogs fail in their own ways.

Host, path and all other bytes of a request's head reach the server as the client sent them, so that
signatures hold. What goes wrong is said by `rules` (faults.py); `log` tells of every request.
"""

import http.client
import json
import re
import socket
import threading

from http_service import HOP_BY_HOP, HttpService, Response

UPSTREAM_SECONDS = 120


def glue_operation(request):
    """UpdateTable of AWSGlue.UpdateTable."""
    return (request.header("x-amz-target") or "").rpartition(".")[2] or f"{request.method} {request.path}"


_REST = [
    ("GET", r"/config$", "Config"),
    ("POST", r"/oauth/tokens$", "Token"),
    ("POST", r"/transactions/commit$", "CommitTransaction"),
    ("POST", r"/tables/rename$", "RenameTable"),
    ("GET", r"/namespaces/[^/]+/tables/[^/]+/credentials$", "LoadCredentials"),
    ("POST", r"/namespaces/[^/]+/tables/[^/]+/metrics$", "ReportMetrics"),
    ("POST", r"/namespaces/[^/]+/register$", "RegisterTable"),
    ("GET", r"/namespaces/[^/]+/tables/[^/]+$", "LoadTable"),
    ("HEAD", r"/namespaces/[^/]+/tables/[^/]+$", "TableExists"),
    ("POST", r"/namespaces/[^/]+/tables/[^/]+$", "CommitTable"),
    ("DELETE", r"/namespaces/[^/]+/tables/[^/]+$", "DropTable"),
    ("GET", r"/namespaces/[^/]+/tables$", "ListTables"),
    ("POST", r"/namespaces/[^/]+/tables$", "CreateTable"),
    ("POST", r"/namespaces/[^/]+/properties$", "UpdateNamespace"),
    ("GET", r"/namespaces/[^/]+$", "LoadNamespace"),
    ("HEAD", r"/namespaces/[^/]+$", "NamespaceExists"),
    ("DELETE", r"/namespaces/[^/]+$", "DropNamespace"),
    ("GET", r"/namespaces$", "ListNamespaces"),
    ("POST", r"/namespaces$", "CreateNamespace"),
]


def rest_operation(request):
    """CommitTable of POST …/tables/orders."""
    for method, pattern, name in _REST:
        if method == request.method and re.search(pattern, request.raw_path):
            return name
    return f"{request.method} {request.path}"


def forward(host, port, request):
    """Sends a request on as it is and reads the answer whole."""
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{n}: {v}" for n, v in request.headers
              if n.lower() not in HOP_BY_HOP and n.lower() not in ("expect", "content-length")]
    lines += [f"Content-Length: {len(request.body)}"] if request.body or request.method in ("PUT", "POST") else []
    lines.append("Connection: close")
    with socket.create_connection((host, port), UPSTREAM_SECONDS) as upstream:
        upstream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + request.body)
        answer = http.client.HTTPResponse(upstream, method=request.method)
        answer.begin()
        body = answer.read()
        headers = [(n, v) for n, v in answer.getheaders() if n.lower() not in HOP_BY_HOP]
        if request.method != "HEAD":  # ours says it
            headers = [(n, v) for n, v in headers if n.lower() != "content-length"]
        answer.close()
    return Response(answer.status, headers, body)


class FaultProxy(HttpService):
    """protocol: s3, glue or rest. upstream: ("127.0.0.1", port), or a service.

    guard: called with each request before it is sent on; an answer of its own stands (rest_guard.py).
    rewrite: called with request and response; what it returns is sent.
    """

    def __init__(self, protocol, upstream, tls=None, guard=None, rewrite=None):
        self.protocol = protocol
        super().__init__(tls)
        self.upstream = upstream
        self.guard = guard
        self.rewrite = rewrite

    def operation(self, request):
        if self.protocol == "glue":
            return glue_operation(request)
        if self.protocol == "rest":
            return rest_operation(request)
        if hasattr(self.upstream, "operation"):
            return self.upstream.operation(request)
        return _s3_names().operation(request)

    def answer(self, request):
        if self.guard is not None:
            refused = self.guard(request)
            if refused is not None:
                return refused
        if self.rewrite is not None:  # what is rewritten must be readable
            request.headers = [(n, v) for n, v in request.headers if n.lower() != "accept-encoding"]
        host, port = self.upstream if isinstance(self.upstream, tuple) else (self.upstream.host, self.upstream.port)
        try:
            response = forward(host, port, request)
        except (OSError, http.client.HTTPException) as e:
            response = Response(502, [("Content-Type", "text/html")], f"<h1>502 Bad Gateway</h1>{e}")
        return self.rewrite(request, response) if self.rewrite else response


def _s3_names():
    """Knows S3's operations without being a server."""
    from s3_server import S3Server  # pylint: disable=import-outside-toplevel

    names = S3Server.__new__(S3Server)
    names.domains = ("s3.localhost", "localhost")
    return names


def without_transactions(request, response):
    """A rewrite for a REST catalog: one that does not commit several tables at once."""
    if response.status == 200 and request.raw_path.endswith("/config"):
        found = json.loads(response.body)
        found["endpoints"] = [e for e in found["endpoints"] if "transactions/commit" not in e]
        response.body = json.dumps(found).encode()
        response.headers = [(n, v) for n, v in response.headers if n.lower() != "content-length"]
    return response


def lend_keys(config, prefix=None):
    """A rewrite for a REST catalog: tables come with keys for their files ("vended credentials")."""

    def rewrite(request, response):
        if rest_operation(request) not in ("LoadTable", "CreateTable", "LoadCredentials") or response.status != 200:
            return response
        wanted = (request.header("x-iceberg-access-delegation") or "").split(",")
        if "vended-credentials" not in [w.strip() for w in wanted]:
            return response
        found = json.loads(response.body)
        values = config() if callable(config) else config
        where = prefix or re.match(r"s3://[^/]+/", found.get("metadata-location") or "s3://none/").group(0)
        found["storage-credentials"] = [{"prefix": where, "config": values}]
        response.body = json.dumps(found).encode()
        return response

    return rewrite


class ForwardProxy(HttpService):
    """A proxy as http.proxy names one: whole URLs, and CONNECT for https. Asks for no password."""

    def answer(self, request):
        found = re.match(r"http://([^/:]+)(?::(\d+))?(/.*)?$", request.target)
        if not found:
            return Response(400, [], "a proxy wants a whole URL")
        request.target = found.group(3) or "/"
        return forward(_loopback(found.group(1)), int(found.group(2) or 80), request)

    def operation(self, request):
        return request.method

    def connect(self, request, connection):
        host, _, port = request.target.rpartition(":")
        with self._lock:
            from http_service import Entry  # pylint: disable=import-outside-toplevel

            self.log.append(Entry(next(self._numbers), "CONNECT", request))
        try:
            upstream = socket.create_connection((_loopback(host), int(port)), 10)
        except OSError as e:
            connection.sendall(Response(502, [], str(e)).head(0))
            return True
        connection.sendall(Response(200).head())
        with upstream:
            back = threading.Thread(target=_pump, args=(upstream, connection), daemon=True)
            back.start()
            _pump(connection, upstream)
            back.join(UPSTREAM_SECONDS)
        return True


def _loopback(host):
    """Names below localhost are here, whatever the resolver thinks; nothing else is ever reached."""
    if host in ("localhost", "127.0.0.1") or host.endswith(".localhost"):
        return "127.0.0.1"
    raise OSError(f"{host} is not on loopback")


def _pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
