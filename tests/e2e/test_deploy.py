"""What is in deploy/: each file by the tool that reads it, settings by calve itself, grants by what a run asks for.

A tool that is not there is NOT RUN, never passed.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import services
from deploy_files import DEPLOY, Terraform
from program import clean_environment

ROOT = DEPLOY.parent
CHART = DEPLOY / "helm/calve"
KUBERNETES = ("1.28", "1.34")


def run(*command, **kwargs):
    done = subprocess.run([str(w) for w in command], capture_output=True, text=True, check=False, timeout=120, **kwargs)
    assert done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}"
    return done.stdout


def need(*names):
    """The first of these programs that is there."""
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return path
    pytest.skip(f"NOT RUN: no {' or '.join(names)} here")
    return None


def checker(name):
    return services.checkers() / "bin" / name


# ---- containers --------------------------------------------------------------------------------


def test_dockerfile_lints():
    run(checker("hadolint"), DEPLOY / "Dockerfile")


def compose(*args, env=None):
    # No .env beside it: what the example says is all.
    return run(checker("docker-compose"), "--env-file", DEPLOY / ".env.example", "-f", DEPLOY / "docker-compose.yml",
               *args, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | (env or {}))


def compose_services(profile):
    return json.loads(compose("--profile", profile, "config", "--format", "json"))["services"]


@pytest.mark.parametrize("profile,names", [("aws", {"mysql", "calve"}),
                                           ("local", {"mysql", "calve-local", "s3", "rest"})])
def test_compose_is_valid(profile, names):
    compose("--profile", profile, "config", "-q")
    assert compose_services(profile).keys() == names


def lake_of(calve):
    """What `calve config` says of where the lake is."""
    found = {}
    for line in calve.splitlines():
        words = line.split()
        if words and words[0] in ("warehouse", "catalog.type", "catalog.uri", "connection-folder", "table", "s3.endpoint"):
            found[words[0]] = words[1] if len(words) > 1 else ""
    return found


@pytest.mark.parametrize("profile,service", [("aws", "calve"), ("local", "calve-local")])
def test_compose_sets_what_calve_knows(profile, service, make_calve, tmp_path):
    env = {k: v for k, v in compose_services(profile)[service]["environment"].items() if v is not None}
    if profile == "aws":
        env["S3_BUCKET"] = "example-lake"
        shutil.copy(DEPLOY / ".pyiceberg.yaml", tmp_path)
    known = variables()
    assert {k for k in env if k not in known} == set()
    result = make_calve(None).plain("config", env=env, cwd=tmp_path)
    assert result.status == 0, result
    assert lake_of(result.out)["table"] == "shop.*"
    if profile == "aws":
        assert lake_of(result.out)["warehouse"] == "s3://example-lake"
    else:
        assert lake_of(result.out)["catalog.uri"] == "http://rest:8181"


def variables():
    """All that docs/config.md names, and AWS's own."""
    page = (ROOT / "docs/config.md").read_text(encoding="utf-8")
    return set(re.findall(r"`([A-Z][A-Z0-9_]+)`", page)) | {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "S3_BUCKET"}


def test_env_example_names_what_calve_knows():
    lines = (DEPLOY / ".env.example").read_text(encoding="utf-8").splitlines()
    names = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert names - variables() == set()


# ---- Kubernetes --------------------------------------------------------------------------------


def calve_reads(make_calve, folder, settings):
    """The settings' file, by the program: an unknown name is an error."""
    file = folder / "calve.yaml"
    file.write_text(settings, encoding="utf-8")
    result = make_calve(None).plain("config", "-c", file, cwd=folder)
    assert result.status == 0, result
    return lake_of(result.out)


def test_chart_values_are_settings(make_calve, tmp_path):
    yaml = services.import_checker("yaml")
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    found = calve_reads(make_calve, tmp_path, yaml.safe_dump(values["config"]))
    assert found["catalog.type"] == "glue" and found["table"] == "shop.*"


VALUES = {
    "plain": {},
    "everything": {
        "existingSecret": "calve", "env": [{"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": {
            "secretKeyRef": {"name": "keys", "key": "secret"}}}],
        "serviceAccount": {"create": True, "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/calve"}},
        "imagePullSecrets": [{"name": "registry"}], "podAnnotations": {"a": "b"}, "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "k", "operator": "Exists"}], "affinity": {"nodeAffinity": {}}},
    "account of somebody else": {"serviceAccount": {"create": False, "name": "other"}},
}


@pytest.mark.parametrize("case", VALUES)
def test_chart(case, make_calve, tmp_path):
    helm = services.helm_program()
    if helm is None:
        pytest.skip("NOT RUN: helm is asked for by `tools/services.py fetch helm`")
    yaml, validate = services.import_checker("yaml"), services.import_checker("kubernetes_validate")
    values = tmp_path / "values.yaml"
    values.write_text(json.dumps(VALUES[case]), encoding="utf-8")
    run(helm, "lint", "--strict", CHART, "-f", values)
    manifests = [m for m in yaml.safe_load_all(run(helm, "template", "shop", CHART, "-f", values)) if m]
    assert {m["kind"] for m in manifests} >= {"Deployment", "ConfigMap"}
    for manifest in manifests:
        for version in KUBERNETES:
            validate.validate(manifest, version, strict=True)
    by_kind = {m["kind"]: m for m in manifests}
    calve_reads(make_calve, tmp_path, by_kind["ConfigMap"]["data"]["calve.yaml"])
    check_pod(by_kind["Deployment"], VALUES[case], make_calve)


def check_pod(deployment, values, make_calve):
    assert deployment["spec"]["replicas"] == 1 and deployment["spec"]["strategy"] == {"type": "Recreate"}
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert ("envFrom" in container) == ("existingSecret" in values)
    if "serviceAccount" in values:
        assert pod["serviceAccountName"] == values["serviceAccount"].get("name", "shop-calve")
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    for words in (container["args"], container["readinessProbe"]["exec"]["command"][1:]):
        flags = {w[2:] for w in words if w.startswith("--")}
        offered = make_calve(None).plain(words[0], "--help").out
        assert {f for f in flags if f"--{f}" not in offered} == set(), offered


# ---- systemd -----------------------------------------------------------------------------------


def test_unit_verifies(make_calve, tmp_path):
    analyze = need("systemd-analyze")
    text = (DEPLOY / "systemd/calve.service").read_text(encoding="utf-8")
    command = re.search(r"^ExecStart=(/usr/local/bin/calve) (\S+)", text, re.M)
    assert command and command.group(2) == "run"
    program = tmp_path / "calve"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    unit = tmp_path / "calve.service"
    unit.write_text(text.replace(command.group(1), str(program)), encoding="utf-8")
    done = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert make_calve(None).plain("run", "--help").status == 0


def units():
    """The unit in deploy/ and the one in the docs."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    (of_docs,) = re.findall(r"```ini\n(.*?)```", page, re.S)
    return {"deploy": (DEPLOY / "systemd/calve.service").read_text(encoding="utf-8"), "docs": of_docs}


def test_what_is_started_again():
    """Keys that somebody else renews, or a right that is granted late, are mended by another start: all that start
    calve do so after any failure, status 2 too, and the docs say that."""
    for name, unit in units().items():
        assert re.findall(r"^Restart=(.*)", unit, re.M) == ["on-failure"], name
        assert re.findall(r"^RestartSec=(\d+)s?$", unit, re.M) == ["30"], name
        assert "RestartPreventExitStatus" not in unit, name
    for profile, service in (("aws", "calve"), ("local", "calve-local")):
        assert compose_services(profile)[service]["restart"] == "unless-stopped"
    assert "restartPolicy" not in (CHART / "templates/deployment.yaml").read_text(encoding="utf-8")  # Always
    for page in ("operations", "troubleshooting"):
        text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
        (said,) = re.findall(r"[^.|]*\bsystemd\b[^.|]*\bstatus\b[^.|]*\.|[^.|]*\bstatus\b[^.|]*\bsystemd\b[^.|]*\.", text)
        assert "starts it again every 30 s" in said and "not" not in said.split(), said


# ---- Terraform ---------------------------------------------------------------------------------


def test_terraform_format():
    run(need("terraform", "tofu"), "fmt", "-check", "-diff", "-recursive", DEPLOY / "terraform",
        env=os.environ | {"CHECKPOINT_DISABLE": "1"})


def test_terraform_validates(tmp_path):
    """Types and attributes, which only the provider knows. It is looked for in mirrors that are set up here."""
    program = need("terraform", "tofu")
    if os.environ.get("CALVE_TEST_TERRAFORM") != "1":
        pytest.skip("NOT RUN: terraform validate is asked for by CALVE_TEST_TERRAFORM=1, as it fetches the provider")
    folder = shutil.copytree(DEPLOY / "terraform", tmp_path / "terraform")
    run(program, f"-chdir={folder}", "init", "-backend=false", "-input=false")
    run(program, f"-chdir={folder}", "validate")


def test_terraform_references():
    """No `validate`: that each name is one that is there, and that none is there for nothing."""
    terraform = Terraform()
    assert terraform.missing() == []
    assert terraform.unused() == []
    assert {"bucket", "role_arn"} <= terraform.found["output"].keys()
    for name, body in terraform.found["variable"].items():
        assert "description" in str(body) and "type" in str(body), name


def test_terraform_example_sets_variables():
    example = (DEPLOY / "terraform/terraform.tfvars.example").read_text(encoding="utf-8")
    declared = Terraform().found["variable"]
    names = re.findall(r"^#?\s*(\w+)\s+=", example, re.M)
    assert names and set(names) <= declared.keys()
    needed = {n for n, body in declared.items() if "default" not in (body[0] if isinstance(body, list) else body)}
    assert needed <= set(names)


# What IAM asks for, where it is not the request's name.
S3_ACTIONS = {
    "HeadObject": "GetObject", "DeleteObjects": "DeleteObject", "ListObjectsV2": "ListBucket",
    "CreateMultipartUpload": "PutObject", "UploadPart": "PutObject", "CompleteMultipartUpload": "PutObject",
    "ListMultipartUploads": "ListBucketMultipartUploads", "HeadBucket": "ListBucket"}


def asked_for(place):
    """The actions of IAM that a place's services were asked for."""
    s3 = {f"s3:{S3_ACTIONS.get(e.operation, e.operation)}" for e in place.s3_proxy.log}
    return s3 | {f"glue:{e.operation}" for e in place.catalog_proxy.log}


def test_policy_allows_what_is_asked_for_and_no_more(make_source, make_calve, make_place):
    source, place = make_source("mysql-9"), make_place("glue")
    source.sql("CREATE TABLE orders (id INT PRIMARY KEY, note LONGTEXT)", "INSERT INTO orders VALUES (1, 'a')")
    calve = make_calve(source, place=place, options={"snapshots-keep-count": 1, "snapshots-keep-age": "0s"})
    calve.catch_up()
    source.sql("INSERT INTO orders VALUES (2, REPEAT('0123456789abcdef', 10))",
               "INSERT INTO orders SELECT id + 10, CONCAT(note, RAND()) FROM orders")
    calve.catch_up()
    source.sql("UPDATE orders SET note = 'b'")
    calve.catch_up()
    calve.run("check")
    calve.run("status")
    allowed = {action for actions, _ in Terraform().policy("daemon") for action in actions
               if action.startswith(("s3:", "glue:"))}
    wanted = asked_for(place)
    assert wanted - allowed == {"glue:CreateDatabase"}  # Terraform makes the databases
    assert allowed - wanted == {"s3:AbortMultipartUpload"}  # when an upload fails
