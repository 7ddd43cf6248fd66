"""Pulls with `skopeo` from the simulated registry, signed in as the instance: `BEARER_TOKEN` with a token of its own."""

import hashlib
import json
import os
import pathlib
import subprocess
import tempfile

import oci
from tenancy import Calls, served

CALLS = Calls("skopeo")
PATIENCE_S = 60


def main():
    with served():
        signer = oci.auth.signers.InstancePrincipalsSecurityTokenSigner(
            federation_endpoint=os.environ["OCI_CLI_FEDERATION_ENDPOINT"]
        )
        registry = oci.container_registry.ContainerRegistryClient(
            {}, signer=signer, service_endpoint=os.environ["OCI_CLI_ENDPOINT"]
        )
        token = registry.get_access_token().data.token
        inspect(token)
        for image, n_manifests in [
            ("mgh-website:v1", 1),
            ("team/app:latest", 5),
            ("team/app:v2", 5),
            ("team/app:docker", 3),
            ("public/base:1.0", 3),
        ]:
            copy(token, image, n_manifests)
        without_a_right(token)
    CALLS.end(10)


def skopeo(*words):
    return subprocess.run(["skopeo", *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def reference(image):
    return f"docker://{os.environ['REGISTRY']}/{image}"


def inspect(token):
    creds = f"BEARER_TOKEN:{token}"
    answer = skopeo("inspect", "--override-arch=arm64", "--tls-verify=false", "--creds", creds, reference("mgh-website:v2"))
    assert answer.returncode == 0, answer.stderr
    seen = json.loads(answer.stdout)
    assert "v10" in seen["RepoTags"] and seen["Architecture"] == "arm64" and len(seen["Layers"]) == 2, seen
    CALLS.passed("inspect, with every tag")
    answer = skopeo("list-tags", "--tls-verify=false", "--creds", creds, reference("team/app"))
    assert json.loads(answer.stdout)["Tags"] == ["docker", "latest", "nightly", "v1", "v2"], answer
    CALLS.passed("list-tags")


def copy(token, image, n_manifests):
    """Copies an image with all that its index names, and computes every digest anew."""
    with tempfile.TemporaryDirectory() as target:
        answer = skopeo(
            "copy", "--all", "--src-tls-verify=false", "--src-creds", f"BEARER_TOKEN:{token}", reference(image), f"dir:{target}"
        )
        assert answer.returncode == 0, (image, answer.stderr)
        files = list(pathlib.Path(target).iterdir())
        manifests = [file for file in files if file.name.endswith("manifest.json")]
        assert len(manifests) == n_manifests, (image, sorted(file.name for file in files))
        blobs = [file for file in files if file not in manifests and file.name != "version"]
        for blob in blobs:
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name, blob
        CALLS.passed(f"copy --all {image}: {n_manifests} manifests, {len(blobs)} blobs")


def without_a_right(token):
    for name, creds in [
        ("altered token", f"BEARER_TOKEN:{token[:-4]}AAAA"),
        ("another user", f"somebody:{token}"),
    ]:
        answer = skopeo("inspect", "--tls-verify=false", "--creds", creds, reference("mgh-website:v1"))
        assert answer.returncode != 0 and "mgh-website" not in answer.stdout, (name, answer)
        CALLS.passed(f"{name}: refused")
    answer = skopeo("inspect", "--tls-verify=false", "--no-creds", reference("mgh-website:v1"))
    assert answer.returncode != 0, answer
    CALLS.passed("no credentials: refused")


main()
