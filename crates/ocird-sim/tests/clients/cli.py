"""Drives the official command line, `oci`, against a simulated tenancy: as the instance, by an API key, by a session."""

import json
import os
import subprocess
import sys

from tenancy import Calls, served

CALLS = Calls("cli")
OCI = os.path.join(os.path.dirname(sys.executable), "oci")
PATIENCE_S = 60


def main():
    with served("--stumble"):
        by("instance_principal")
        repositories = repository()
        lists(repositories["mgh-website"])
        image()
        others()
        for auth, profile in [("api_key", "DEFAULT"), ("security_token", "SESSION")]:
            by(auth, profile)
            again(auth)
    CALLS.end(21)


def by(auth, profile="DEFAULT"):
    os.environ["OCI_CLI_AUTH"] = auth
    os.environ["OCI_CLI_PROFILE"] = profile


def oci(*words, **options):
    """What `oci` prints, as JSON; None when it prints nothing."""
    answer = run(*words, **options)
    assert answer.returncode == 0, (words, answer.stdout, answer.stderr)
    return json.loads(answer.stdout) if answer.stdout.strip() else None


def run(*words, **options):
    given = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", *value_of(value))]
    return subprocess.run(
        [OCI, *words, *given], capture_output=True, text=True, timeout=PATIENCE_S, check=False, stdin=subprocess.DEVNULL
    )


def value_of(value):
    return () if value is True else (str(value),)


def refused(status, code, *words, **options):
    answer = run(*words, **options)
    assert answer.returncode != 0, (words, answer.stdout)
    error = json.loads(answer.stderr[answer.stderr.index("{"):])
    assert (error["status"], error["code"]) == (status, code), error


def container(*words, **options):
    return oci("artifacts", "container", *words, **options)


def repository():
    compartment = os.environ["COMPARTMENT"]
    rows = container("repository", "list", compartment_id=compartment, all=True, page_size=3)["data"]["items"]
    names = {row["display-name"]: row["id"] for row in rows}
    assert len(names) == 7, names
    CALLS.passed("repository list --all --page-size 3, over a 429")
    read = container("repository", "get", repository_id=names["mgh-releases"])["data"]
    assert read["is-immutable"] is True and read["image-count"] == 1, read
    CALLS.passed("repository get, over a 401")
    namespace = container("configuration", "get", compartment_id=os.environ["TENANCY"])["data"]["namespace"]
    assert namespace == "axsimulated", namespace
    CALLS.passed("configuration get")
    return names


def lists(website):
    compartment = os.environ["COMPARTMENT"]
    rows = container("image", "list", compartment_id=compartment, repository_id=website, all=True, page_size=4)
    versions = [row["version"] for row in rows["data"]["items"]]
    assert versions == [f"v{n}" for n in range(10, 0, -1)], versions
    CALLS.passed("image list --all --page-size 4")
    rows = container("image", "list", compartment_id=compartment, repository_name="mgh-*", image_version="v1*")
    assert {row["version"] for row in rows["data"]["items"]} == {"v1", "v10"}, rows
    CALLS.passed("image list by patterns")
    refused(
        404, "NotAuthorizedOrNotFound", "artifacts", "container", "image", "list",
        compartment_id="ocid1.compartment.oc1..foreign",
    )
    CALLS.passed("image list of a foreign compartment: 404")


def image():
    found = container("image", "lookup", image_uri="axsimulated/team/app:v1")["data"]
    assert {version["version"] for version in found["versions"]} == {"v1", "latest"}, found
    CALLS.passed("image lookup")
    read = container("image", "get", image_id=found["id"])
    assert read["data"]["digest"] == found["digest"], read
    CALLS.passed("image get")
    left = container("image", "remove-version", image_id=found["id"], image_version="v1", if_match=read["etag"])
    assert [version["version"] for version in left["data"]["versions"]] == ["latest"], left
    CALLS.passed("image remove-version --if-match")
    words = ("artifacts", "container", "image", "delete")
    refused(412, "NoEtagMatch", *words, image_id=found["id"], if_match="stale", force=True)
    CALLS.passed("image delete with a stale etag: 412")
    container("image", "delete", image_id=found["id"], if_match=left["etag"], force=True)
    state = container("image", "get", image_id=found["id"])["data"]["lifecycle-state"]
    assert state == "DELETED", state
    CALLS.passed("image delete --if-match")
    restored = container("image", "restore", image_id=found["id"], image_version="latest")["data"]
    assert (restored["lifecycle-state"], restored["version"]) == ("AVAILABLE", "latest"), restored
    CALLS.passed("image restore --image-version")


def others():
    rows = container("image-signature", "list", compartment_id=os.environ["COMPARTMENT"])["data"]["items"]
    assert len(rows) == 1 and rows[0]["signing-algorithm"] == "SHA_256_RSA_PKCS_PSS", rows
    CALLS.passed("image-signature list")
    tokens = oci("iam", "auth-token", "list", user_id=os.environ["OCI_USER"])["data"]
    assert [token["description"] for token in tokens] == ["pull secret of the cluster", "laptop"], tokens
    CALLS.passed("iam auth-token list")
    refused(404, "NotAuthorizedOrNotFound", "iam", "auth-token", "list", user_id="ocid1.user.oc1..nobody")
    CALLS.passed("iam auth-token list of an unknown user: 404")


def again(auth):
    rows = container("repository", "list", compartment_id=os.environ["COMPARTMENT"], all=True)["data"]["items"]
    assert len(rows) == 7, rows
    CALLS.passed(f"--auth {auth}: repository list --all")
    found = container("image", "lookup", image_uri="axsimulated/public/base:1.0")["data"]
    assert found["repository-name"] == "public/base", found
    CALLS.passed(f"--auth {auth}: image lookup")
    tokens = oci("iam", "auth-token", "list", user_id=os.environ["OCI_USER"])["data"]
    assert len(tokens) == 2, tokens
    CALLS.passed(f"--auth {auth}: iam auth-token list")


main()
