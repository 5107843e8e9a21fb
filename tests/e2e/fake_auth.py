"""The server's side of authentication, and certificates, for the fake primary."""

import dataclasses
import datetime
import hashlib
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from nacl.bindings import crypto_scalarmult_ed25519_base
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

_rsa_keys = []


def rsa_key():
    """One for all tests: making it takes a while."""
    if not _rsa_keys:
        _rsa_keys.append(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    return _rsa_keys[0]


def new_nonce(size=20):
    """Bytes without NUL, as servers send them."""
    return bytes(b % 255 + 1 for b in os.urandom(size))


@dataclasses.dataclass
class Account:
    """The one account that a fake primary has."""

    user: str = "root"
    password: str = ""
    plugin: str = None  # None: the server's default
    cached: bool = False  # caching_sha2_password: the server has seen the password before
    switched: bool = True  # tell the plugin by AuthSwitchRequest when the client used another
    seen: list = dataclasses.field(default_factory=list)  # how the password came: [(plugin, form)]


@dataclasses.dataclass
class Exchange:
    wire: object
    tls: bool
    denied: object  # makes the exception


CHECKED = ("mysql_native_password", "caching_sha2_password", "sha256_password", "mysql_clear_password",
           "client_ed25519")


def check(account, exchange, user, plugin, default, nonce, proof):
    """Runs the plugin's exchange; raises when the password is not the account's."""
    wanted = account.plugin or default
    wire = exchange.wire
    if wanted == "mysql_old_password":
        wire.write(b"\xfe")
        hashed = wire.read()
        account.seen.append((wanted, hashed.hex()))
        raise exchange.denied()
    if plugin != wanted:
        nonce = new_nonce(32 if wanted == "client_ed25519" else 20)
        wire.write(b"\xfe" + wanted.encode() + b"\0" + nonce + b"\0" * (wanted != "client_ed25519"))
        proof = wire.read()
    if wanted not in CHECKED:
        account.seen.append((wanted, "open" if account.password.encode() in proof else "strange"))
        raise exchange.denied()
    checks = {"mysql_native_password": _native, "caching_sha2_password": _caching_sha2,
              "sha256_password": _sha256, "mysql_clear_password": _clear, "client_ed25519": _ed25519}
    password = account.password.encode()
    right, form = checks[wanted](account, exchange, password, nonce, proof)
    account.seen.append((wanted, form))
    if not right or user != account.user:
        raise exchange.denied()


def _xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def _native(_account, _exchange, password, nonce, proof):
    if not password:
        return proof == b"", "scrambled"
    once = hashlib.sha1(password).digest()
    twice = hashlib.sha1(once).digest()
    return proof == _xor(once, hashlib.sha1(nonce + twice).digest()), "scrambled"


def _caching_sha2(account, exchange, password, nonce, proof):
    if not password:
        return proof in (b"", b"\0"), "scrambled"
    once = hashlib.sha256(password).digest()
    twice = hashlib.sha256(once).digest()
    if account.cached:
        if proof != _xor(once, hashlib.sha256(twice + nonce).digest()):
            return False, "scrambled"
        exchange.wire.write(b"\x01\x03")
        return True, "scrambled"
    exchange.wire.write(b"\x01\x04")
    if exchange.tls:
        return exchange.wire.read() == password + b"\0", "clear"
    asked = exchange.wire.read()
    if asked != b"\x02":
        # Whatever this is, it came over an open line.
        return False, "open" if password in asked else "strange"
    return _rsa(exchange, password, nonce)


def _sha256(_account, exchange, password, nonce, proof):
    if not password:
        return proof in (b"", b"\0"), "scrambled"
    if exchange.tls:
        return proof == password + b"\0", "clear"
    if proof != b"\x01":
        return False, "open" if password in proof else "strange"
    return _rsa(exchange, password, nonce)


def _rsa(exchange, password, nonce):
    public = rsa_key().public_key().public_bytes(serialization.Encoding.PEM,
                                                 serialization.PublicFormat.SubjectPublicKeyInfo)
    exchange.wire.write(b"\x01" + public)
    secret = exchange.wire.read()
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
    plain = rsa_key().decrypt(secret, oaep)
    repeated = nonce * (len(plain) // len(nonce) + 1)
    return _xor(plain, repeated) == password + b"\0", "rsa"


def _clear(_account, exchange, password, _nonce, proof):
    return proof == password + b"\0", "clear" if exchange.tls else "open"


def _ed25519(_account, _exchange, password, nonce, proof):
    scalar = bytearray(hashlib.sha512(password).digest()[:32])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 63 | 64
    public = crypto_scalarmult_ed25519_base(bytes(scalar))
    try:
        VerifyKey(public).verify(nonce, proof)
    except (BadSignatureError, ValueError):
        return False, "signed"
    return True, "signed"


# ---- certificates ------------------------------------------------------------------------------

def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A certificate authority of a test's own."""

    def __init__(self, folder, name="test authority"):
        self.folder = folder
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(_name(name), self.key.public_key(), authority=True)
        self.path = folder / f"{name.replace(' ', '-')}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(self, subject, public, hosts=(), days=(-1, 365), authority=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(_name(self.name))
                   .public_key(public).serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days=days[0]))
                   .not_valid_after(now + datetime.timedelta(days=days[1]))
                   .add_extension(x509.BasicConstraints(authority, None), critical=True))
        if hosts:
            names = [x509.IPAddress(ipaddress.ip_address(h)) if h[0].isdigit() else x509.DNSName(h)
                     for h in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, hosts=("127.0.0.1", "localhost"), days=(-1, 365)):
        """An SSLContext of a server with a certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_name(hosts[0]), key.public_key(), hosts, days)
        path = self.folder / f"server-{os.urandom(4).hex()}.pem"
        path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                              serialization.NoEncryption())
            + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context
