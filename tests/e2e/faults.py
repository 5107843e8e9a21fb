"""What goes wrong between a client and a service, and when: rules for http_service.HttpService.

    rules.fail("UpdateTable", "ConcurrentModificationException", times=2)
    rules.fail("PutObject", "SlowDown", after=3)        # the first three go well
    rules.act("CommitTable", "reset_after")             # done, and nobody is told
    rules.latency(0.05, operation="GetObject")
    rules.storm(seed=7, rate=0.2)                       # any of the protocol's faults, by chance

Operations are names as services have them (PutObject, UpdateTable, CommitTable); "*" is any, and a
list or a glob are fine. Of several rules the first that applies counts.
"""

import fnmatch
import json
import random
import threading

# Names of what may happen beside an error; "before" and "after" say whether the request takes effect.
ACTIONS = ("timeout_before", "timeout_after", "reset_before", "reset_after", "truncate", "stall")
HOLD_SECONDS = 300.0

# {protocol: {error code or name: status}}
ERRORS = {
    "s3": {
        "SlowDown": 503, "ServiceUnavailable": 503, "InternalError": 500, "ConditionalRequestConflict": 409,
        "OperationAborted": 409, "PreconditionFailed": 412, "TooManyRequests": 429, "RequestTimeout": 400,
        "ExpiredToken": 400, "InvalidToken": 400, "InvalidAccessKeyId": 403, "SignatureDoesNotMatch": 403,
        "RequestTimeTooSkewed": 403, "AccessDenied": 403, "NoSuchKey": 404, "NoSuchBucket": 404, "NoSuchUpload": 404,
        "InvalidRange": 416, "BadDigest": 400, "EntityTooSmall": 400, "InvalidPart": 400,
    },
    "glue": {
        "ConcurrentModificationException": 400, "ThrottlingException": 400, "InternalServiceException": 500,
        "InternalFailure": 500, "ServiceUnavailable": 503, "TooManyRequestsException": 429,
        "OperationTimeoutException": 400, "AccessDeniedException": 400, "ExpiredTokenException": 400,
        "UnrecognizedClientException": 400, "InvalidSignatureException": 400, "EntityNotFoundException": 400,
        "AlreadyExistsException": 400, "InvalidInputException": 400, "ResourceNumberLimitExceededException": 400,
        "GlueEncryptionException": 400, "FederationSourceException": 400,
    },
    "rest": {
        "BadRequestException": 400, "NotAuthorizedException": 401, "ForbiddenException": 403,
        "NoSuchTableException": 404, "NoSuchNamespaceException": 404, "UnsupportedOperationException": 406,
        "CommitFailedException": 409, "AlreadyExistsException": 409, "AuthenticationTimeoutException": 419,
        "TooManyRequestsException": 429, "CommitStateUnknownException": 500, "InternalServerError": 500,
        "BadGateway": 502, "ServiceUnavailableException": 503, "GatewayTimeout": 504,
    },
}

# What a storm chooses from: what a client has to live with.
STORMS = {
    "s3": ("SlowDown", "InternalError", "ServiceUnavailable", "TooManyRequests", "RequestTimeout", "reset_before",
           "reset_after", "truncate"),
    "glue": ("ThrottlingException", "InternalServiceException", "ServiceUnavailable", "OperationTimeoutException",
             "reset_before", "reset_after", "truncate"),
    "rest": ("TooManyRequestsException", "ServiceUnavailableException", "CommitStateUnknownException", "BadGateway",
             "GatewayTimeout", "reset_before", "reset_after", "truncate"),
    "plain": ("reset_before", "reset_after", "truncate"),
}


def xml_text(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def error_answer(protocol, code, message=None, status=None, headers=(), extra=None):
    """(status, headers, body) of an error as the protocol writes it."""
    status = status or ERRORS.get(protocol, {}).get(code)
    if status is None:
        raise KeyError(f"{protocol} has no error {code}: give its status, or add it to faults.ERRORS")
    message = message or f"injected: {code}"
    extra = dict(extra or {})
    if protocol == "s3":
        parts = {"Code": code, "Message": message, **extra, "RequestId": "0123456789ABCDEF", "HostId": "test"}
        text = "".join(f"<{n}>{xml_text(v)}</{n}>" for n, v in parts.items())
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{text}</Error>'
        kind = "application/xml"
    elif protocol == "glue":
        # Both spellings of the member and both forms of __type are seen in the wild.
        body = json.dumps({"__type": code, "Message": message} | extra)
        kind = "application/x-amz-json-1.1"
    elif protocol == "rest":
        body = json.dumps({"error": {"message": message, "type": code, "code": status} | extra})
        kind = "application/json"
    else:
        body, kind = message, "text/plain"
    return status, [("Content-Type", kind), *headers], body.encode()


class Action:
    """What happens to one request."""

    def __init__(self, name, kind="pass", effect=True, answer=None, seconds=HOLD_SECONDS, before=None, after=None):
        self.name = name
        self.kind = kind  # pass, answer, timeout, reset, truncate, stall
        self.effect = effect  # whether the request takes effect
        self.answer = answer
        self.seconds = seconds
        self.before = before
        self.after = after


def named_action(name, seconds=HOLD_SECONDS):
    if name not in ACTIONS:
        raise KeyError(f"unknown action {name}: know {', '.join(ACTIONS)}")
    kind, _, when = name.partition("_")
    return Action(name, kind, effect=when != "before", seconds=seconds)


class Rule:
    """An action for requests of some operations; `hits` counts how often it was taken."""

    def __init__(self, operations, action, times=None, after=0, where=None):
        self.operations = [operations] if isinstance(operations, str) else list(operations)
        self.action = action
        self.times = times  # None: without end
        self.after = after  # so many pass first
        self.where = where  # a function of the request
        self.hits = 0
        self._seen = 0

    def matches(self, operation, request):
        return any(fnmatch.fnmatchcase(operation, p) for p in self.operations) and (
            self.where is None or self.where(request))

    def take(self):
        self._seen += 1
        if self._seen <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


class _Storm:
    def __init__(self, seed, rate, names, operations, in_a_row_max, protocol):
        self.seed = seed
        self.rate = rate
        self.names = names
        self.operations = [operations] if isinstance(operations, str) else list(operations)
        self.in_a_row_max = in_a_row_max
        self.protocol = protocol
        self._seen = {}
        self._in_a_row = {}
        self.hits = 0

    def decide(self, operation):
        """The n-th request of an operation always fares alike, whatever threads do meanwhile."""
        if not any(fnmatch.fnmatchcase(operation, p) for p in self.operations):
            return None
        number = self._seen[operation] = self._seen.get(operation, 0) + 1
        dice = random.Random(f"{self.seed}:{operation}:{number}")
        row = self._in_a_row.get(operation, 0)
        if dice.random() >= self.rate or row >= self.in_a_row_max:
            self._in_a_row[operation] = 0
            return None
        self._in_a_row[operation] = row + 1
        self.hits += 1
        name = dice.choice(self.names)
        if name in ACTIONS:
            return named_action(name)
        # Errors of the server's kind come before the effect or, now and then, after it.
        answer = error_answer(self.protocol, name)
        return Action(name, "answer", effect=answer[0] >= 500 and dice.random() < 0.3, answer=answer)


class Rules:
    """Thread: any."""

    def __init__(self, protocol):
        self.protocol = protocol
        self._lock = threading.Lock()
        self._rules = []
        self._latencies = []
        self._storm = None

    def _add(self, rule):
        with self._lock:
            self._rules.append(rule)
        return rule

    def fail(self, operation, code, times=1, after=0, where=None, effect=False, message=None, status=None, headers=(),
             extra=None):
        """Answers with an error of the protocol. effect: the request is carried out all the same."""
        answer = error_answer(self.protocol, code, message, status, headers, extra)
        return self._add(Rule(operation, Action(code, "answer", effect, answer), times, after, where))

    def answer(self, operation, status, body, headers=(("Content-Type", "text/html"),), times=1, after=0, where=None,
               effect=False):
        """Answers with just this: what a load balancer in front of the service says."""
        body = body.encode() if isinstance(body, str) else body
        return self._add(Rule(operation, Action(f"status {status}", "answer", effect, (status, list(headers), body)),
                              times, after, where))

    def act(self, operation, name, times=1, after=0, where=None, seconds=HOLD_SECONDS):
        """One of ACTIONS."""
        return self._add(Rule(operation, named_action(name, seconds), times, after, where))

    def call(self, operation, before=None, after_effect=None, times=1, after=0, where=None):
        """Calls a function before a request takes effect, or when it has, before it is answered."""
        return self._add(Rule(operation, Action("call", before=before, after=after_effect), times, after, where))

    def latency(self, low, high=None, operation="*"):
        """Each request waits so many seconds; between low and high when both are given."""
        with self._lock:
            self._latencies.append((operation, low, high if high is not None else low, random.Random(0)))

    def storm(self, seed, rate, names=None, operations="*", in_a_row_max=3):
        """Faults by chance, the same for the same seed; at most so many of an operation in a row."""
        with self._lock:
            self._storm = _Storm(seed, rate, tuple(names or STORMS[self.protocol]), operations, in_a_row_max,
                                 self.protocol)
            return self._storm

    def clear(self):
        """All goes well from here on."""
        with self._lock:
            self._rules.clear()
            self._latencies.clear()
            self._storm = None

    def decide(self, operation, request):
        """(seconds to wait, action or None)."""
        with self._lock:
            latency = sum(dice.uniform(low, high) for pattern, low, high, dice in self._latencies
                          if fnmatch.fnmatchcase(operation, pattern))
            for rule in self._rules:
                if rule.matches(operation, request) and rule.take():
                    return latency, rule.action
            return latency, self._storm.decide(operation) if self._storm else None
