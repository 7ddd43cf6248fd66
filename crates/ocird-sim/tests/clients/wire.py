"""Makes with Oracle's Python SDK every call that ocird makes, in the order of the test `wire`, and keeps a record of what
went over the wire: `wire.py RECORD`.
"""

import os
import sys

import oci
from oci.pagination import list_call_get_all_results as every_page
from tenancy import Calls, served

CALLS = Calls("wire")
PAGE_SIZE = 4


def main():
    with served("--record", sys.argv[1]):
        instance = oci.auth.signers.InstancePrincipalsSecurityTokenSigner(
            federation_endpoint=os.environ["OCI_CLI_FEDERATION_ENDPOINT"]
        )
        CALLS.passed("sign-in")
        url = os.environ["OCI_CLI_ENDPOINT"]
        artifacts = oci.artifacts.ArtifactsClient({}, signer=instance, service_endpoint=url)
        identity = oci.identity.IdentityClient({}, signer=instance, service_endpoint=url)
        registry = oci.container_registry.ContainerRegistryClient({}, signer=instance, service_endpoint=url)
        image = reads(artifacts)
        changes(artifacts, image)
        identity.list_auth_tokens(os.environ["OCI_USER"])
        CALLS.passed("list_auth_tokens")
        registry.get_access_token()
        CALLS.passed("get_access_token")
        by_profile("DEFAULT", None)
        session = oci.config.from_file(os.environ["OCI_CLI_CONFIG_FILE"], "SESSION")
        with open(session["security_token_file"], encoding="utf-8") as file:
            token = file.read()
        key = oci.signer.load_private_key_from_file(session["key_file"])
        by_profile("SESSION", oci.auth.signers.SecurityTokenSigner(token, key))
    CALLS.end(15)


def reads(artifacts):
    """Returns the image that the changes are made to."""
    compartment = os.environ["COMPARTMENT"]
    artifacts.get_container_configuration(os.environ["TENANCY"])
    CALLS.passed("get_container_configuration")
    rows = every_page(artifacts.list_container_repositories, compartment, limit=PAGE_SIZE).data
    CALLS.passed("list_container_repositories")
    website = next(row.id for row in rows if row.display_name == "mgh-website")
    artifacts.get_container_repository(website)
    CALLS.passed("get_container_repository")
    images = every_page(artifacts.list_container_images, compartment, repository_id=website, limit=PAGE_SIZE).data
    CALLS.passed("list_container_images")
    uri = oci.artifacts.models.LookupContainerImageByUriDetails(image_uri="axsimulated/mgh-website:v3")
    artifacts.lookup_container_image_by_uri(uri)
    CALLS.passed("lookup_container_image_by_uri")
    every_page(artifacts.list_container_image_signatures, compartment, repository_id=website, limit=PAGE_SIZE)
    CALLS.passed("list_container_image_signatures")
    return next(row.id for row in images if row.version == "v3")


def changes(artifacts, image):
    models = oci.artifacts.models
    etag = artifacts.get_container_image(image).headers["etag"]
    CALLS.passed("get_container_image")
    artifacts.delete_container_image(image, if_match=etag)
    CALLS.passed("delete_container_image")
    restored = artifacts.restore_container_image(image, models.RestoreContainerImageDetails(version="v3"))
    CALLS.passed("restore_container_image with a version")
    remove = models.RemoveContainerVersionDetails(version="v3")
    left = artifacts.remove_container_version(image, remove, if_match=restored.headers["etag"])
    artifacts.delete_container_image(image, if_match=left.headers["etag"])
    artifacts.restore_container_image(image, models.RestoreContainerImageDetails())
    CALLS.passed("remove_container_version, and restore_container_image without one")


def by_profile(name, signer):
    """One read, for the form of the key id."""
    config = oci.config.from_file(os.environ["OCI_CLI_CONFIG_FILE"], name) if signer is None else {}
    options = {} if signer is None else {"signer": signer}
    artifacts = oci.artifacts.ArtifactsClient(config, service_endpoint=os.environ["OCI_CLI_ENDPOINT"], **options)
    artifacts.get_container_configuration(os.environ["TENANCY"])
    CALLS.passed(f"get_container_configuration by {name}")


main()
