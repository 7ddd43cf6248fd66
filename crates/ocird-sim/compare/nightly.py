"""What people run today, by the official Python SDK and with threads: of each repository of a compartment, every image
beyond the newest ten, as the instance it runs on. Written for the comparison with ocird: the same work with none of the
safety.

It is kind in one thing that many such scripts are not: it leaves untagged images alone, and so the children of indexes.
It asks nobody what runs.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import oci

KEEP = int(os.environ.get("KEEP", "10"))
COMPARTMENT = os.environ["COMPARTMENT"]
# As many connections as the SDK's HTTP client keeps; with more it opens new ones all the time.
N_THREADS = 10
PAGE_SIZE = 1000


def main():
    client = artifacts()
    repositories = oci.pagination.list_call_get_all_results(
        client.list_container_repositories, COMPARTMENT, limit=PAGE_SIZE
    ).data
    with ThreadPoolExecutor(N_THREADS) as threads:
        surplus = [image for images in threads.map(lambda one: beyond(client, one.id), repositories) for image in images]
        # Asked for in full, so that the first error ends the script as an error.
        list(threads.map(client.delete_container_image, surplus))


def artifacts():
    """The client; where OCI_CLI_ENDPOINT names another cloud than the instance's own, that one's."""
    elsewhere = os.environ.get("OCI_CLI_ENDPOINT")
    federation = os.environ.get("OCI_CLI_FEDERATION_ENDPOINT")
    signer = oci.auth.signers.InstancePrincipalsSecurityTokenSigner(
        **({"federation_endpoint": federation} if federation else {})
    )
    return oci.artifacts.ArtifactsClient({}, signer=signer, **({"service_endpoint": elsewhere} if elsewhere else {}))


def beyond(client, repository):
    """The OCIDs of a repository's tagged images beyond the newest. A list may show an image once for each of its tags."""
    rows = oci.pagination.list_call_get_all_results(
        client.list_container_images, COMPARTMENT, repository_id=repository, is_versioned=True, limit=PAGE_SIZE
    ).data
    created = {row.id: row.time_created for row in rows}
    return sorted(created, key=created.get, reverse=True)[KEEP:]


main()
