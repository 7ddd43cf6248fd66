"""Drives Oracle's own Python SDK through every operation of a simulated tenancy, as the instance, by an API key and by a
session, and forges requests with the SDK's own signer: each must be refused as the cloud refuses it.
"""

import datetime
import email.utils
import os

import oci
from oci._vendor import requests
from oci.pagination import list_call_get_all_results as every_page
from tenancy import Calls, served

CALLS = Calls("sdk")
NAMES = {"charts", "mgh-docs", "mgh-empty", "mgh-releases", "mgh-website", "public/base", "team/app"}
ONCE = oci.retry.NoneRetryStrategy()


def main():
    with served("--stumble"):
        instance = oci.auth.signers.InstancePrincipalsSecurityTokenSigner(
            federation_endpoint=os.environ["OCI_CLI_FEDERATION_ENDPOINT"]
        )
        CALLS.passed("instance principal signs in")
        operations(Tenancy({}, instance))
        refusals(Tenancy({}, instance))
        profile = oci.config.from_file(os.environ["OCI_CLI_CONFIG_FILE"], "DEFAULT")
        every_operation_again(Tenancy(profile, None), "API key")
        session = oci.config.from_file(os.environ["OCI_CLI_CONFIG_FILE"], "SESSION")
        with open(session["security_token_file"], encoding="utf-8") as file:
            token = file.read()
        key = oci.signer.load_private_key_from_file(session["key_file"])
        by_session = oci.auth.signers.SecurityTokenSigner(token, key)
        every_operation_again(Tenancy({}, by_session), "session token")
        forgeries(profile, token, key)
    CALLS.end(58)


class Tenancy:
    """The three clients of the SDK for one way to sign in."""

    def __init__(self, config, signer):
        url = os.environ["OCI_CLI_ENDPOINT"]
        options = {"service_endpoint": url}
        if signer is not None:
            options["signer"] = signer
        self.artifacts = oci.artifacts.ArtifactsClient(config, **options)
        self.identity = oci.identity.IdentityClient(config, **options)
        self.registry = oci.container_registry.ContainerRegistryClient(config, **options)
        self.root = os.environ["TENANCY"]
        self.compartment = os.environ["COMPARTMENT"]

    def repositories(self):
        rows = every_page(self.artifacts.list_container_repositories, self.compartment, limit=2).data
        return {row.display_name: row.id for row in rows}

    def images(self, **parameters):
        return every_page(self.artifacts.list_container_images, self.compartment, **parameters).data


def operations(cloud):
    repositories = cloud.repositories()
    assert set(repositories) == NAMES, repositories
    CALLS.passed("list_container_repositories, every page, over a 429")
    website = cloud.artifacts.get_container_repository(repositories["mgh-website"]).data
    assert website.image_count == 10 and website.is_immutable is False, website
    CALLS.passed("get_container_repository, over a 401")
    configuration = cloud.artifacts.get_container_configuration(cloud.root).data
    assert configuration.namespace == website.namespace, configuration
    CALLS.passed("get_container_configuration")
    lists(cloud, website.id)
    row = cloud.images(repository_id=website.id, version="v3")[0]
    image(cloud, row)
    registry(cloud)
    tokens = cloud.identity.list_auth_tokens(os.environ["OCI_USER"]).data
    assert [token.description for token in tokens] == ["pull secret of the cluster", "laptop"], tokens
    assert all(token.token is None and token.lifecycle_state == "ACTIVE" for token in tokens), tokens
    CALLS.passed("list_auth_tokens")


def lists(cloud, website):
    rows = cloud.images(repository_id=website, limit=4)
    assert [row.version for row in rows] == [f"v{n}" for n in range(10, 0, -1)], rows
    CALLS.passed("list_container_images, every page")
    for expected, parameters in [
        (2, {"repository_id": website, "version": "v1*"}),
        (0, {"repository_id": website, "is_versioned": False}),
        (1, {"repository_id": website, "image_digest": rows[0].digest}),
        (1, {"display_name": "mgh-website:v7"}),
        (10, {"repository_name": "mgh-web*"}),
        (0, {"repository_name": "mgh website/\u00e9:*&=+"}),
        (1, {"image_id": rows[0].id}),
    ]:
        found = cloud.images(**parameters)
        assert len(found) == expected, (parameters, found)
        CALLS.passed(f"list_container_images by {', '.join(parameters)}: {expected}")
    oldest = cloud.images(repository_id=website, sort_by="TIMECREATED", sort_order="ASC", limit=3)
    assert oldest[0].version == "v1", oldest
    CALLS.passed("list_container_images, oldest first")
    whole = every_page(
        cloud.artifacts.list_container_images, cloud.root, compartment_id_in_subtree=True, repository_name="team/*"
    ).data
    assert {row.repository_name for row in whole} == {"team/app"}, whole
    assert any(row.version is None for row in whole), "children of an index have no version"
    CALLS.passed("list_container_images of the whole tenancy")
    signatures = every_page(
        cloud.artifacts.list_container_image_signatures, cloud.compartment, repository_name="mgh-docs"
    ).data
    assert len(signatures) == 1 and signatures[0].lifecycle_state == "AVAILABLE", signatures
    CALLS.passed("list_container_image_signatures")


def image(cloud, row):
    client, models = cloud.artifacts, oci.artifacts.models
    read = client.get_container_image(row.id)
    assert [version.version for version in read.data.versions] == ["v3"] and read.data.layers, read.data
    CALLS.passed("get_container_image")
    lookup = models.LookupContainerImageByUriDetails(image_uri="axsimulated/mgh-website:v3")
    assert client.lookup_container_image_by_uri(lookup).data.id == row.id
    by_digest = models.LookupContainerImageByUriDetails(image_uri=f"axsimulated/mgh-website@{row.digest}")
    assert client.lookup_container_image_by_uri(by_digest).data.id == row.id
    CALLS.passed("lookup_container_image_by_uri, by tag and by digest")
    refused(412, "NoEtagMatch", "delete_container_image with a stale etag", client.delete_container_image, row.id, if_match="x")
    client.delete_container_image(row.id, if_match=read.headers["etag"])
    assert client.get_container_image(row.id).data.lifecycle_state == "DELETED"
    CALLS.passed("delete_container_image with its etag")
    refused(404, "NotAuthorizedOrNotFound", "delete_container_image twice", client.delete_container_image, row.id)
    restored = client.restore_container_image(row.id, models.RestoreContainerImageDetails(version="v3"))
    assert restored.data.lifecycle_state == "AVAILABLE" and restored.data.version == "v3", restored.data
    CALLS.passed("restore_container_image with its version")
    refused(
        409, "IncorrectState", "restore_container_image that is there", client.restore_container_image, row.id,
        models.RestoreContainerImageDetails(), retry_strategy=ONCE,
    )
    remove = models.RemoveContainerVersionDetails(version="v3")
    left = client.remove_container_version(row.id, remove, if_match=restored.headers["etag"]).data
    assert left.versions == [] and left.display_name.startswith("mgh-website:v3@sha256:"), left
    CALLS.passed("remove_container_version with its etag")


def registry(cloud):
    token = cloud.registry.get_access_token().data
    assert token.token == token.access_token and token.expires_in == 3600, token
    CALLS.passed("get_access_token")
    url = os.environ["OCI_CLI_ENDPOINT"]
    basic = requests.get(f"{url}/20180419/docker/token", auth=("BEARER_TOKEN", token.token), timeout=10)
    assert basic.json()["expires_in"] == 3600, basic.text
    CALLS.passed("BEARER_TOKEN login at the token endpoint")
    accept = {"Accept": "application/vnd.oci.image.index.v1+json", "Authorization": f"Bearer {token.token}"}
    index = requests.get(f"{url}/v2/axsimulated/team/app/manifests/latest", headers=accept, timeout=10).json()
    assert len(index["manifests"]) == 4, index
    CALLS.passed("manifest of an index by bearer token")


def refusals(cloud):
    client = cloud.artifacts
    unknown = "ocid1.containerimage.oc1.eu-milan-1.0.axsimulated.none"
    for status, code, name, call, arguments, parameters in [
        (404, "NotAuthorizedOrNotFound", "unknown image", client.get_container_image, [unknown], {}),
        (404, "NotAuthorizedOrNotFound", "foreign compartment", client.list_container_images, ["ocid1.compartment.oc1..x"], {}),
        (400, "InvalidParameter", "made-up page token", client.list_container_images, [cloud.compartment], {"page": "x"}),
        (404, "NotAuthorizedOrNotFound", "unknown user", cloud.identity.list_auth_tokens, ["ocid1.user.oc1..x"], {}),
    ]:
        refused(status, code, name, call, *arguments, **parameters)


def every_operation_again(cloud, how):
    """One call of each service and method, for a way to sign in whose signatures differ by their key id only."""
    assert set(cloud.repositories()) == NAMES
    CALLS.passed(f"{how}: list_container_repositories, every page")
    row = cloud.images(repository_name="public/base")[0]
    assert cloud.artifacts.get_container_image(row.id).data.digest == row.digest
    CALLS.passed(f"{how}: get_container_image")
    uri = oci.artifacts.models.LookupContainerImageByUriDetails(image_uri="axsimulated/public/base:latest")
    assert cloud.artifacts.lookup_container_image_by_uri(uri).data.repository_name == "public/base"
    CALLS.passed(f"{how}: lookup_container_image_by_uri")
    refused(412, "NoEtagMatch", f"{how}: delete with a stale etag", cloud.artifacts.delete_container_image, row.id, if_match="x")
    assert len(cloud.identity.list_auth_tokens(os.environ["OCI_USER"]).data) == 2
    CALLS.passed(f"{how}: list_auth_tokens")
    assert cloud.registry.get_access_token().data.token
    CALLS.passed(f"{how}: get_access_token")


def forgeries(profile, token, key):
    """Requests with one thing wrong each, made with the SDK's own signer; the first is right."""
    url = f"{os.environ['OCI_CLI_ENDPOINT']}/20160918/container"
    images = f"{url}/images?compartmentId={os.environ['COMPARTMENT']}"
    lookup = f"{url}/images/actions/lookupImageByUri"
    signer = oci.signer.Signer(profile["tenancy"], profile["user"], profile["fingerprint"], profile["key_file"])
    session = oci.auth.signers.SecurityTokenSigner(token, key)
    other_key = oci.config.from_file(os.environ["OCI_CLI_CONFIG_FILE"], "SESSION")["key_file"]

    def by(tenancy=profile["tenancy"], user=profile["user"], fingerprint=profile["fingerprint"], file=profile["key_file"]):
        return oci.signer.Signer(tenancy, user, fingerprint, file)

    def made(target, auth, method="GET", minutes=0, body=None):
        date = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
        headers = {"date": email.utils.format_datetime(date, usegmt=True), "content-type": "application/json"}
        return requests.Request(method, target, auth=auth, headers=headers, data=body).prepare()

    def changed(request, **changes):
        for name, value in changes.items():
            setattr(request, name, value)
        return request

    def swapped(request, old, new):
        assert old in request.headers["authorization"], request.headers
        request.headers["authorization"] = request.headers["authorization"].replace(old, new, 1)
        return request

    body = '{"imageUri": "axsimulated/public/base:latest"}'
    reversed_fingerprint = profile["fingerprint"][::-1]
    table = [
        (200, "honest read", made(images, signer)),
        (200, "honest body", made(lookup, session, "POST", body=body)),
        (401, "wrong key", made(images, by(file=other_key))),
        (401, "wrong fingerprint", made(images, by(fingerprint=reversed_fingerprint))),
        (401, "unknown user", made(images, by(user="ocid1.user.oc1..nobody"))),
        (401, "another tenancy", made(images, by(tenancy="ocid1.tenancy.oc1..other"))),
        (401, "date six minutes old", made(images, signer, minutes=-6)),
        (401, "date six minutes ahead", made(images, signer, minutes=6)),
        (401, "query added after signing", changed(made(images, signer), url=f"{images}&limit=1")),
        (401, "read's signature on a delete", changed(made(images, signer), method="DELETE", url=f"{url}/images/x")),
        (401, "tampered body", changed(made(lookup, signer, "POST", body=body), body=body.replace("latest", "newest"))),
        (401, "no authorization", made(images, None)),
        (401, "altered signature", swapped(made(images, signer), 'signature="', 'signature="AAAA')),
        (401, "altered token", swapped(made(images, session), token, f"{token[:-8]}AAAAAAAA")),
        (401, "token with another key", made(images, oci.auth.signers.SecurityTokenSigner(token, signer.private_key))),
    ]
    with requests.Session() as http:
        for status, name, request in table:
            answer = http.send(request, timeout=10)
            assert answer.status_code == status, (name, answer.status_code, answer.text)
            assert status == 200 or answer.json()["code"] == "NotAuthenticated", (name, answer.text)
            CALLS.passed(f"{name}: {status}")


def refused(status, code, name, call, *arguments, **parameters):
    try:
        call(*arguments, **parameters)
    except oci.exceptions.ServiceError as error:
        assert (error.status, error.code) == (status, code), (name, error)
        CALLS.passed(f"{name}: {status} {code}")
    else:
        raise AssertionError(f"{name}: not refused")


main()
