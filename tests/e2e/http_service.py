"""HTTP/1.1 on loopback, in the test's own process: what stand-ins and the fault proxy are made of.

A service answers requests (`answer`), a thread per connection. What a fault needs is in its hands: the
bytes of the request line and headers as they came, and the socket, to delay, cut or reset.
"""

import contextlib
import datetime
import email.utils
import ipaddress
import itertools
import select
import socket
import socketserver
import ssl
import struct
import threading
import time
import traceback
import urllib.parse

from faults import Action, Rules

HEAD_BYTES_MAX = 64 << 10
HOP_BY_HOP = ("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te",
              "trailer", "transfer-encoding", "upgrade")
REASONS = {100: "Continue", 200: "OK", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently",
           304: "Not Modified", 307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
           404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 411: "Length Required",
           412: "Precondition Failed", 416: "Range Not Satisfiable", 419: "Authentication Timeout",
           429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
           503: "Service Unavailable", 504: "Gateway Timeout"}


class ClientGone(Exception):
    """The other side closed or broke the connection."""


class Request:
    """One request, its head byte for byte."""

    def __init__(self, method, target, headers, body, secure=False):
        self.method = method
        self.target = target  # as on the wire
        self.headers = headers  # [(name, value)] as on the wire, in order
        self.body = body
        self.secure = secure
        self.raw_path, _, self.raw_query = target.partition("?")

    def header(self, name, default=None):
        name = name.lower()
        return next((v for n, v in self.headers if n.lower() == name), default)

    @property
    def path(self):
        return urllib.parse.unquote(self.raw_path)

    @property
    def query(self):
        """{name: value}, decoded; a name without a value has ""."""
        return dict(urllib.parse.parse_qsl(self.raw_query, keep_blank_values=True))

    def __repr__(self):
        return f"{self.method} {self.target}"


class Response:
    def __init__(self, status=200, headers=(), body=b""):
        self.status = status
        self.headers = list(headers)
        self.body = body.encode() if isinstance(body, str) else body

    def header(self, name, default=None):
        name = name.lower()
        return next((v for n, v in self.headers if n.lower() == name), default)

    def head(self, length=None):
        """The bytes before the body."""
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Unknown')}"]
        lines += [f"{n}: {v}" for n, v in self.headers]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Entry:
    """A request in a service's log, and what became of it."""

    def __init__(self, number, operation, request):
        self.number = number
        self.at = time.monotonic()
        self.operation = operation
        self.method = request.method
        self.target = request.target
        self.headers = request.headers
        self.request_bytes = len(request.body)
        self.status = None  # of the answer that was sent, None: none was
        self.upstream_status = None  # of the answer that a fault kept or changed
        self.fault = None  # the name of the action
        self.seconds = None

    def header(self, name, default=None):
        name = name.lower()
        return next((v for n, v in self.headers if n.lower() == name), default)

    def __repr__(self):
        fault = f" fault={self.fault}" if self.fault else ""
        return f"{self.number}: {self.operation} {self.method} {self.target} -> {self.status}{fault}"


# ---- reading -----------------------------------------------------------------------------------


def _read_line(stream, limit=HEAD_BYTES_MAX):
    line = stream.readline(limit + 1)
    if not line.endswith(b"\n"):
        raise ClientGone
    return line.rstrip(b"\r\n")


def _read_exactly(stream, size):
    data = stream.read(size)
    if len(data) != size:
        raise ClientGone
    return data


def _read_chunked(stream):
    parts = []
    while True:
        size = int(_read_line(stream).split(b";")[0], 16)
        if size == 0:
            break
        parts.append(_read_exactly(stream, size))
        _read_line(stream)
    while _read_line(stream):  # trailers
        pass
    return b"".join(parts)


def _read_head(stream):
    """(method, target, version, headers), or None when the client has nothing more to say."""
    try:
        line = stream.readline(HEAD_BYTES_MAX)
    except OSError:
        return None
    if not line.strip():
        return None
    method, target, version = line.decode("latin-1").split()
    headers = []
    while True:
        line = _read_line(stream)
        if not line:
            return method, target, version, headers
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name, value.strip(" \t")))


# ---- certificates ------------------------------------------------------------------------------


class Certificate:
    """A CA of the test's own and a server certificate by it. ca_file is what a client has to trust."""

    def __init__(self, folder, names=("localhost", "*.localhost", "*.s3.localhost", "127.0.0.1")):
        # pylint: disable=import-outside-toplevel
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        def build(subject, issuer, key, signer, extensions):
            now = datetime.datetime.now(datetime.timezone.utc)
            made = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
                    .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
                    .not_valid_after(now + datetime.timedelta(days=30)))
            for extension, critical in extensions:
                made = made.add_extension(extension, critical)
            return made.sign(signer, hashes.SHA256())

        def name(text):
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        def alternative(text):
            try:
                return x509.IPAddress(ipaddress.ip_address(text))
            except ValueError:
                return x509.DNSName(text)

        ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        ca = build(name("test CA"), name("test CA"), ca_key, ca_key, [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), False)])
        leaf = build(name("test server"), name("test CA"), key, ca_key, [
            (x509.SubjectAlternativeName([alternative(n) for n in names]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False)])
        pem = serialization.Encoding.PEM
        self.ca_file = folder / "ca.pem"
        self.chain_file = folder / "server.pem"
        self.ca_file.write_bytes(ca.public_bytes(pem))
        self.chain_file.write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + leaf.public_bytes(pem))

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain_file)
        return context


# ---- the service -------------------------------------------------------------------------------


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class HttpService:
    """Base of all services; a subclass has `protocol` and `answer(request)`.

    rules: what goes wrong (faults.Rules). log: an Entry per request. bugs: what the stand-in itself got
    wrong; stop() raises when there are some. clock_ahead_s: how far its clock is ahead of ours.
    """

    protocol = "plain"

    def __init__(self, tls=None):
        self.rules = Rules(self.protocol)
        self.log = []
        self.bugs = []
        self.clock_ahead_s = 0
        self.host = "127.0.0.1"
        self.port = 0
        self.tls = tls
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._connections = {}  # socket: waits for its next request
        self._server = None
        self._stopping = threading.Event()

    # -- to be overridden --

    def answer(self, request):
        raise NotImplementedError

    def operation(self, request):
        """The request's name in rules and log."""
        return f"{request.method} {request.path}"

    def connect(self, request, connection):
        """CONNECT of a forward proxy. Returns whether it took the connection."""
        return False

    def now(self):
        """Its clock."""
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.clock_ahead_s)

    def date(self):
        """The Date header."""
        return "Date", email.utils.format_datetime(self.now().replace(microsecond=0), usegmt=True)

    # -- life --

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def start(self):
        """Listens; after stop() on the same port again."""
        service = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                service._serve(self.request)  # pylint: disable=protected-access

        self._stopping.clear()
        self._server = _Server((self.host, self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self):
        """Breaks all connections and stops listening."""
        if self._server is not None:
            self._stopping.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            self.drop_connections()
        if self.bugs:
            bugs, self.bugs = self.bugs, []
            raise AssertionError(f"{type(self).__name__} failed by itself:\n" + "\n".join(bugs))

    def __enter__(self):
        return self if self._server else self.start()

    def __exit__(self, *_):
        self.stop()

    def drop_connections(self, idle_only=False):
        """Breaks the connections that are there; idle_only: those that wait for a next request."""
        with self._lock:
            chosen = [c for c, idle in self._connections.items() if idle or not idle_only]
        for connection in chosen:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        return len(chosen)

    # -- log --

    def entries(self, operation=None, since=0):
        with self._lock:
            found = list(self.log)
        return [e for e in found if e.number > since and operation in (None, e.operation)]

    def count(self, operation=None, since=0):
        return len(self.entries(operation, since))

    def last_number(self):
        with self._lock:
            return self.log[-1].number if self.log else 0

    # -- a connection --

    def _serve(self, raw):
        connection = raw
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                connection = self.tls.context().wrap_socket(raw, server_side=True)
            with self._lock:
                self._connections[connection] = True
            self._requests(connection)
        except (OSError, ClientGone, ValueError):
            pass
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            with contextlib.suppress(OSError):
                connection.close()

    def _idle(self, connection, idle):
        with self._lock:
            self._connections[connection] = idle

    def _requests(self, connection):
        with connection.makefile("rb") as stream:
            while not self._stopping.is_set():
                self._idle(connection, True)
                head = _read_head(stream)
                if head is None:
                    return
                self._idle(connection, False)
                method, target, version, headers = head
                request = Request(method, target, headers, b"", self.tls is not None)
                if (request.header("expect") or "").lower() == "100-continue":
                    connection.sendall(Response(100).head())
                if (request.header("transfer-encoding") or "").lower().endswith("chunked"):
                    request.body = _read_chunked(stream)
                else:
                    request.body = _read_exactly(stream, int(request.header("content-length") or 0))
                if method == "CONNECT" and self.connect(request, connection):
                    return
                keep = self._handle(connection, request)
                if not keep or version == "HTTP/1.0" or (request.header("connection") or "").lower() == "close":
                    return

    def _handle(self, connection, request):
        """Answers a request. Returns whether the connection goes on."""
        operation = self.operation(request)
        entry = Entry(next(self._numbers), operation, request)
        with self._lock:
            self.log.append(entry)
        started = time.monotonic()
        try:
            latency, action = self.rules.decide(operation, request)
            if latency > 0:
                self._stopping.wait(latency)
            if action is not None:
                entry.fault = action.name
            return self._act(connection, request, entry, action or Action("none"))
        finally:
            entry.seconds = time.monotonic() - started

    def _answer(self, request, entry):
        try:
            response = self.answer(request)
        except ClientGone:
            raise
        except Exception:  # pylint: disable=broad-exception-caught
            self.bugs.append(f"{request!r}\n{traceback.format_exc()}")
            response = Response(500, [("Content-Type", "text/plain")], "the stand-in failed")
        entry.upstream_status = response.status
        return response

    def _act(self, connection, request, entry, action):
        if action.before:
            action.before(request)
        response = None
        if action.effect:
            response = self._answer(request, entry)
        if action.after:
            action.after(request)
        if action.kind == "answer":
            response = Response(*action.answer)
        elif action.kind == "timeout":
            self._hold(connection, action.seconds)
            return False
        elif action.kind == "reset":
            _reset(connection)
            return False
        if response.status == 304 or response.status == 204 or response.status < 200:
            length = None
        else:
            length = len(response.body)
        if response.header("content-length") is not None:
            length = None
        body = b"" if request.method == "HEAD" else response.body
        entry.status = response.status
        if action.kind in ("truncate", "stall"):
            connection.sendall(response.head(length) + body[:len(body) // 2])
            if action.kind == "stall":
                self._hold(connection, action.seconds)
            return False
        connection.sendall(response.head(length) + body)
        return True

    def _hold(self, connection, seconds):
        """Says nothing until the client gives up."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._stopping.is_set():
            readable, _, _ = select.select([connection], [], [], 0.05)
            if readable:
                with contextlib.suppress(OSError):
                    if not connection.recv(4096):
                        return


def _reset(connection):
    """Ends a connection by RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
