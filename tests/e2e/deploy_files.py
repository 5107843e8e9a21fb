"""deploy/ for its tests: Terraform's files parsed, references in them followed, policies read."""

import pathlib
import re

import services

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
META = {"path", "each", "count", "self", "terraform"}  # what Terraform itself provides


class Terraform:
    """The parsed .tf files: {"variable": {name: body}, "locals": …, "output": …, "resource": {"type.name": body},
    "data": {"data.type.name": body}}."""

    def __init__(self, folder=DEPLOY / "terraform"):
        hcl2 = services.import_checker("hcl2")
        self.files = sorted(folder.glob("*.tf"))
        self.found = {"variable": {}, "locals": {}, "output": {}, "resource": {}, "data": {}}
        for file in self.files:
            for kind, blocks in _without_quotes(hcl2.loads(file.read_text(encoding="utf-8"))).items():
                for block in blocks if isinstance(blocks, list) else []:
                    self._take(kind, block)

    def _take(self, kind, block):
        if kind == "locals":
            self._add(kind, block)
        elif kind in ("variable", "output"):
            self._add(kind, block)
        elif kind in ("resource", "data"):
            prefix = "data." if kind == "data" else ""
            for of_type, named in block.items():
                if isinstance(named, dict):
                    self._add(kind, {f"{prefix}{of_type}.{name}": body for name, body in named.items()})

    def _add(self, kind, named):
        for name, body in named.items():
            if name.startswith("__"):
                continue
            assert name not in self.found[kind], f"{kind} {name} is there twice"
            self.found[kind][name] = body

    def text(self):
        return "\n".join(_without_comments(f.read_text(encoding="utf-8")) for f in self.files)

    def references(self):
        """{(kind, name)} that expressions name."""
        found = set()
        text = _expressions(self.text())
        found |= {("variable", n) for n in re.findall(r"\bvar\.([A-Za-z_][\w-]*)", text)}
        found |= {("locals", n) for n in re.findall(r"\blocal\.([A-Za-z_][\w-]*)", text)}
        found |= {("data", f"data.{t}.{n}") for t, n in re.findall(r"\bdata\.(\w+)\.([\w-]+)", text)}
        found |= {("resource", f"{t}.{n}") for t, n in re.findall(r"(?<![\w.])(aws_\w+)\.([\w-]+)", text)}
        return found

    def missing(self):
        return sorted(f"{kind} {name}" for kind, name in self.references() if name not in self.found[kind])

    def unused(self):
        used = self.references()
        return sorted(f"{kind} {name}" for kind in ("variable", "locals", "data") for name in self.found[kind]
                      if (kind, name) not in used)

    def policy(self, name):
        """[(actions, resources)] of a policy document, the blocks that depend on a variable included."""
        body = _one(self.found["data"][f"data.aws_iam_policy_document.{name}"])
        statements = list(_listed(body.get("statement")))
        for dynamic in _listed(body.get("dynamic")):
            statements += [_one(s["content"]) for s in _listed(dynamic.get("statement"))]
        return [(s.get("actions", []), s.get("resources", [])) for s in statements]


def _one(value):
    return value[0] if isinstance(value, list) else value


def _listed(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _without_quotes(value):
    """The parser leaves the quotes on names and texts."""
    if isinstance(value, dict):
        return {_without_quotes(k): _without_quotes(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_quotes(v) for v in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def _without_comments(text):
    return re.sub(r"^\s*(#|//).*$", "", text, flags=re.M)


def _expressions(text):
    """Without what stands in texts, but for ${…} in them; without the names of blocks."""
    text = re.sub(r'^(\s*)(variable|output|resource|data|provider)\b.*$', r"\1{", text, flags=re.M)
    return re.sub(r'"((?:[^"\\]|\\.)*)"', lambda m: " ".join(re.findall(r"\$\{([^}]*)\}", m.group(1))), text)
