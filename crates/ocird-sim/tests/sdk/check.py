"""Drives the official Python SDK against a served tenancy, over the whole instance-principal flow.

Run by hand or in CI, with the `oci` package installed and the variables of `cargo run -p ocird-sim --example serve`
in the environment. It proves that the simulated cloud is one that Oracle's own client takes for real.
"""

import base64
import json
import os
import sys
import urllib.request

import oci

URL = os.environ["OCI_CLI_ENDPOINT"]
COMPARTMENT = os.environ["COMPARTMENT"]


def main() -> None:
    signer = oci.auth.signers.InstancePrincipalsSecurityTokenSigner(
        federation_endpoint=os.environ["OCI_CLI_FEDERATION_ENDPOINT"]
    )
    client = oci.artifacts.ArtifactsClient({}, signer=signer, service_endpoint=URL)
    website = repositories(client)
    images = paging(client, website)
    delete_and_restore(client, images[0])
    refusals(client)
    registry(signer)


def repositories(client):
    rows = oci.pagination.list_call_get_all_results(client.list_container_repositories, COMPARTMENT).data
    names = {row.display_name: row.id for row in rows if row.lifecycle_state == "AVAILABLE"}
    assert set(names) == {"mgh-website", "team/app"}, names
    whole = client.get_container_repository(names["mgh-website"])
    assert whole.data.image_count == 10 and whole.data.is_immutable is False, whole.data
    assert client.get_container_configuration(COMPARTMENT).data.namespace == whole.data.namespace
    return names["mgh-website"]


def paging(client, repository):
    def listed(**parameters):
        answer = oci.pagination.list_call_get_all_results(
            client.list_container_images, COMPARTMENT, repository_id=repository, **parameters
        )
        return answer.data

    images = listed(limit=4)
    assert sorted(row.version for row in images) == sorted(f"v{n}" for n in range(1, 11)), images
    assert len(listed(version="v1*")) == 2 and len(listed(is_versioned=False)) == 0
    root = client.list_container_images(
        os.environ["TENANCY"], compartment_id_in_subtree=True, repository_name="team/*"
    ).data
    assert {row.repository_name for row in root.items} == {"team/app"}, root
    return images


def delete_and_restore(client, row):
    image = client.get_container_image(row.id)
    assert image.data.versions[0].version == row.version and image.data.layers, image.data
    expect(412, lambda: client.delete_container_image(row.id, if_match="stale"))
    client.delete_container_image(row.id, if_match=image.headers["etag"])
    assert client.get_container_image(row.id).data.lifecycle_state == "DELETED"
    restore = oci.artifacts.models.RestoreContainerImageDetails(version=row.version)
    restored = client.restore_container_image(row.id, restore).data
    assert restored.lifecycle_state == "AVAILABLE" and restored.version == row.version, restored
    remove_version(client)


def remove_version(client):
    details = oci.artifacts.models.LookupContainerImageByUriDetails(image_uri="axsimulated/team/app:v1")
    found = client.lookup_container_image_by_uri(details).data
    remove = oci.artifacts.models.RemoveContainerVersionDetails(version="v1")
    left = client.remove_container_version(found.id, remove).data
    assert [version.version for version in left.versions] == ["latest"], left


def refusals(client):
    expect(404, lambda: client.get_container_image("ocid1.containerimage.oc1.eu-milan-1.0.axsimulated.none"))
    expect(404, lambda: client.list_container_images("ocid1.compartment.oc1..foreign"))
    expect(400, lambda: client.list_container_images(COMPARTMENT, page="made-up"))


def registry(signer):
    client = oci.container_registry.ContainerRegistryClient({}, signer=signer, service_endpoint=URL)
    token = client.get_access_token().data
    index = get(
        "/v2/axsimulated/team/app/manifests/latest",
        Authorization=f"Bearer {token.token}",
        Accept="application/vnd.oci.image.index.v1+json",
    )
    assert len(index["manifests"]) == 4, index
    basic = base64.b64encode(f"BEARER_TOKEN:{token.token}".encode()).decode()
    exchanged = get("/20180419/docker/token", Authorization=f"Basic {basic}")
    assert exchanged["expires_in"] == token.expires_in, exchanged


def get(path, **headers):
    request = urllib.request.Request(URL + path, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def expect(status, call):
    try:
        call()
    except oci.exceptions.ServiceError as error:
        assert error.status == status, error
    else:
        sys.exit(f"expected a {status}")


main()
