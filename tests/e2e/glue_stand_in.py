"""A Glue Data Catalog of our own that judges: signatures, the shape of each request, and VersionId.

What a request may hold (members, types, lengths, patterns) comes from AWS's own model of the service,
as botocore ships it. UpdateTable is atomic under VersionId: a stale one is a
ConcurrentModificationException, as in AWS and unlike moto.
"""

import base64
import functools
import json
import re
import threading
import time
import uuid

import botocore.session

from fault_proxy import glue_operation
from faults import error_answer
from http_service import HttpService, Response
from signatures import Keys, Refused, verify

ACCOUNT = "123456789012"

# S3's names of what is wrong with a signature, and Glue's.
SIGNATURE_CODES = {"AccessDenied": "MissingAuthenticationTokenException",
                   "AuthorizationHeaderMalformed": "InvalidSignatureException",
                   "InvalidAccessKeyId": "UnrecognizedClientException", "InvalidToken": "UnrecognizedClientException",
                   "ExpiredToken": "ExpiredTokenException", "RequestTimeTooSkewed": "InvalidSignatureException",
                   "SignatureDoesNotMatch": "InvalidSignatureException"}


class GlueError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message


@functools.cache
def service_model():
    return botocore.session.get_session().get_service_model("glue")


@functools.cache
def _pattern(text):
    """A pattern of the model as Python has it; None where Python cannot say it."""
    if r"\p{" in text:
        return None
    return re.compile(text.replace(r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff"))


_TYPES = {"string": str, "boolean": bool, "integer": int, "long": int, "double": (int, float),
          "timestamp": (int, float), "map": dict, "list": list, "structure": dict}


def _check_limits(shape, value, path):
    if shape.type_name in ("string", "list", "map"):
        size = len(value)
    elif shape.type_name in ("integer", "long", "double"):
        size = value
    else:
        return
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if (least is not None and size < least) or (most is not None and size > most):
        raise GlueError("InvalidInputException", f"{path}: {size} is outside {least}..{most}")
    if shape.type_name == "string" and "pattern" in shape.metadata:
        pattern = _pattern(shape.metadata["pattern"])
        if pattern is not None and not pattern.fullmatch(value):
            raise GlueError("InvalidInputException", f"{path}: {value!r} does not match {shape.metadata['pattern']}")


def check_shape(shape, value, path):
    """Raises unless value is what the model says; a member that the model does not know is an error too."""
    expected = _TYPES.get(shape.type_name)
    if expected is not None and (not isinstance(value, expected)
                                 or (isinstance(value, bool) and shape.type_name != "boolean")):
        raise GlueError("SerializationException", f"{path}: expected {shape.type_name}, found {value!r}")
    _check_limits(shape, value, path)
    if shape.type_name == "structure":
        for name in shape.metadata.get("required", []):
            if value.get(name) is None:
                raise GlueError("InvalidInputException", f"{path}.{name} is required")
        for name, member in value.items():
            if name not in shape.members:
                raise GlueError("InvalidInputException", f"{path} has no member {name}")
            if member is not None:
                check_shape(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        for index, member in enumerate(value):
            check_shape(shape.member, member, f"{path}[{index}]")
    elif shape.type_name == "map":
        for name, member in value.items():
            check_shape(shape.key, name, f"{path} key")
            check_shape(shape.value, member, f"{path}[{name}]")


class _Table:
    def __init__(self, database, table_input, catalog):
        self.database = database
        self.catalog = catalog
        self.number = 0
        self.created = time.time()
        self.updated = self.created
        self.versions = []  # what SkipArchive=false keeps: [(version id, table input)]
        self.input = table_input

    def describe(self, number=None, table_input=None):
        found = dict(table_input or self.input)
        found["Name"] = found["Name"].lower()
        return found | {"DatabaseName": self.database, "CreateTime": self.created, "UpdateTime": self.updated,
                        "CreatedBy": "arn:aws:iam::test", "IsRegisteredWithLakeFormation": False,
                        "CatalogId": self.catalog, "VersionId": str(self.number if number is None else number)}


class GlueStandIn(HttpService):
    """page_max: tables in a page, at most. versions_max: ResourceNumberLimitExceeded beyond.

    Keys are those of `keys`; a service may share them with an S3Server. verify=False takes any request.
    """

    protocol = "glue"

    def __init__(self, region="us-east-1", tls=None, keys=None, account=ACCOUNT):
        super().__init__(tls)
        self.region = region
        self.account = account
        self.keys = keys or Keys()
        self.page_max = 100
        self.versions_max = 100000
        self.empty_pages = False  # an empty page before each full one: a token, and nothing else
        self.names_kept = False  # real Glue folds names to lower case
        self._denied = {}
        self._lock_tables = threading.RLock()
        self._databases = {}
        self._tables = {}
        self._tokens = {}

    operation = staticmethod(glue_operation)

    # -- what tests set and see --

    def deny(self, operation, table="*"):
        """A grant that is missing."""
        self._denied[operation, table.lower()] = True

    def allow_all(self):
        self._denied.clear()

    def table(self, database, name):
        """A table as GetTable returns it."""
        with self._lock_tables:
            return self._table(database, name).describe()

    def versions(self, database, name):
        """Archived versions: what SkipArchive=true leaves out."""
        with self._lock_tables:
            return list(self._table(database, name).versions)

    def change_parameters(self, database, name, **parameters):
        """What another tool does to a table; None removes one. A new version, as by UpdateTable."""
        with self._lock_tables:
            table = self._table(database, name)
            merged = table.input.get("Parameters", {}) | parameters
            table.input = table.input | {"Parameters": {k: v for k, v in merged.items() if v is not None}}
            table.number += 1

    # -- answering --

    def answer(self, request):
        operation = glue_operation(request)
        try:
            try:
                verify(request, self.keys, "glue", self.region, self.now())
            except Refused as e:
                raise GlueError(SIGNATURE_CODES.get(e.code, e.code), self._refusal(e)) from None
            result = self._call(request, operation)
        except GlueError as e:
            return Response(*error_answer("glue", e.code, e.message, 400,
                                          [("x-amzn-RequestId", str(uuid.uuid4())), self.date()]))
        body = json.dumps(result)
        return Response(200, [("Content-Type", "application/x-amz-json-1.1"),
                              ("x-amzn-RequestId", str(uuid.uuid4())), self.date()], body)

    @staticmethod
    def _refusal(e):
        """As AWS says it; the code alone does not tell a wrong secret from a wrong region or clock."""
        if "Region" in e.extra:
            return "Credential should be scoped to a valid region. "
        if e.code == "RequestTimeTooSkewed":
            at, now = e.extra["RequestTime"], e.extra["ServerTime"].replace("-", "").replace(":", "")
            if at < now:
                return f"Signature expired: {at} is now earlier than {now} ({now} - 15 min.)"
            return f"Signature not yet current: {at} is still later than {now} ({now} + 15 min.)"
        return f"{e.message} {e.extra or ''}".strip()

    def _call(self, request, operation):
        kind = request.header("content-type") or ""
        if request.method != "POST" or request.raw_path != "/" or not kind.startswith("application/x-amz-json-1.1"):
            raise GlueError("UnknownOperationException", f"expected POST / with application/x-amz-json-1.1, found "
                            f"{request!r} with {kind!r}")
        handler = getattr(self, "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower(), None)
        target = request.header("x-amz-target") or ""
        if handler is None or not target.startswith("AWSGlue."):
            raise GlueError("UnknownOperationException", f"{target!r} is not known here")
        try:
            found = json.loads(request.body)
        except ValueError as e:
            raise GlueError("SerializationException", f"the body is no JSON: {e}") from None
        check_shape(service_model().operation_model(operation).input_shape, found, operation)
        found = {k: v for k, v in found.items() if v is not None}
        table = found.get("Name") or found.get("TableInput", {}).get("Name") or ""
        if (operation, "*") in self._denied or (operation, table.lower()) in self._denied:
            raise GlueError("AccessDeniedException", f"User: arn:aws:iam::{self.account}:user/test is not authorized "
                            f"to perform: glue:{operation} on resource: arn:aws:glue:{self.region}:{self.account}:"
                            f"catalog")
        if found.get("CatalogId", self.account) != self.account:
            raise GlueError("EntityNotFoundException", f"Catalog {found['CatalogId']} not found.")
        with self._lock_tables:
            return handler(found)

    def _fold(self, name):
        return name if self.names_kept else name.lower()

    def _database(self, name):
        found = self._databases.get(self._fold(name))
        if found is None:
            raise GlueError("EntityNotFoundException", f"Database {name} not found.")
        return found

    def _table(self, database, name):
        self._database(database)
        found = self._tables.get((self._fold(database), self._fold(name)))
        if found is None:
            raise GlueError("EntityNotFoundException", f"Table {name} not found.")
        return found

    # -- databases --

    def _describe_database(self, name):
        found, created = self._databases[name]
        return found | {"Name": name, "CreateTime": created, "CatalogId": self.account}

    def _create_database(self, found):
        name = self._fold(found["DatabaseInput"]["Name"])
        if name in self._databases:
            raise GlueError("AlreadyExistsException", "Database already exists.")
        self._databases[name] = found["DatabaseInput"], time.time()
        return {}

    def _update_database(self, found):
        _, created = self._database(found["Name"])
        self._databases[self._fold(found["Name"])] = found["DatabaseInput"], created
        return {}

    def _get_database(self, found):
        self._database(found["Name"])
        return {"Database": self._describe_database(self._fold(found["Name"]))}

    def _get_databases(self, found):
        return self._paged(found, "DatabaseList", sorted(self._databases), self._describe_database)

    def _delete_database(self, found):
        self._database(found["Name"])
        name = self._fold(found["Name"])
        del self._databases[name]
        for key in [k for k in self._tables if k[0] == name]:  # as AWS does
            del self._tables[key]
        return {}

    # -- tables --

    def _create_table(self, found):
        database = found["DatabaseName"]
        self._database(database)
        if "TableInput" not in found:
            raise GlueError("InvalidInputException", "TableInput is missing")
        key = self._fold(database), self._fold(found["TableInput"]["Name"])
        if key in self._tables:
            raise GlueError("AlreadyExistsException", "Table already exists.")
        self._tables[key] = _Table(key[0], found["TableInput"], self.account)
        return {}

    def _get_table(self, found):
        return {"Table": self._table(found["DatabaseName"], found["Name"]).describe()}

    def _get_tables(self, found):
        database = self._fold(found["DatabaseName"])
        self._database(database)
        names = sorted(n for d, n in self._tables if d == database)
        if found.get("Expression"):
            names = [n for n in names if re.fullmatch(found["Expression"].replace("*", ".*"), n)]
        return self._paged(found, "TableList", names, lambda n: self._tables[database, n].describe())

    def _update_table(self, found):
        name = found.get("Name") or found.get("TableInput", {}).get("Name")
        if name is None:
            raise GlueError("InvalidInputException", "TableInput is missing")
        table = self._table(found["DatabaseName"], name)
        if "VersionId" in found and found["VersionId"] != str(table.number):
            raise GlueError("ConcurrentModificationException", f"Update table failed due to concurrent modifications: "
                            f"version {found['VersionId']} is not the current {table.number}.")
        if not found.get("SkipArchive", False):
            if len(table.versions) >= self.versions_max:
                raise GlueError("ResourceNumberLimitExceededException",
                                "Number of TABLE_VERSION resources exceeds the account limit")
            table.versions.append((str(table.number), table.input))
        table.input = found["TableInput"]
        table.number += 1
        table.updated = time.time()
        return {}

    def _delete_table(self, found):
        self._table(found["DatabaseName"], found["Name"])
        del self._tables[self._fold(found["DatabaseName"]), self._fold(found["Name"])]
        return {}

    def _get_table_versions(self, found):
        table = self._table(found["DatabaseName"], found["TableName"])
        rows = [(table.number, table.input)] + [(int(n), i) for n, i in reversed(table.versions)]
        return self._paged(found, "TableVersions", rows, lambda row: {
            "Table": table.describe(row[0], row[1]), "VersionId": str(row[0])})

    # -- pages --

    def _paged(self, found, member, rows, describe):
        """A page from where the token says; tokens are opaque and good for one listing."""
        start, due_empty = 0, self.empty_pages
        if "NextToken" in found:
            try:
                start, due_empty = self._tokens[found["NextToken"]]
            except KeyError:
                raise GlueError("InvalidInputException", f"unknown NextToken {found['NextToken']!r}") from None
        size = 0 if due_empty else min(self.page_max, found.get("MaxResults", 100))
        page = rows[start:start + size]
        answer = {member: [describe(r) for r in page]}
        if start + len(page) < len(rows):
            # Tokens of the real service are long and need care in JSON and in a form.
            token = base64.b64encode(f"{member}/{start + len(page)}/{uuid.uuid4()}+=".encode()).decode()
            self._tokens[token] = start + len(page), self.empty_pages and not due_empty
            answer["NextToken"] = token
        return answer
