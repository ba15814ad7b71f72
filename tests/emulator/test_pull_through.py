"""Pull through cache rules, and pulls through them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import ONCE, OTHER, OWN, refused, version
from local_ecr import needs_archives
from registry_client import RegistryClient

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.rules.pull_through_cache.cache import is_pull_through
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

WEST = "us-west-2"
DAY = 24 * 60 * 60
SECRET = f"arn:aws:secretsmanager:us-east-1:{OWN}:secret:ecr-pullthroughcache/hub-AbCdEf"
ROLE = f"arn:aws:iam::{OWN}:role/cache"
UPSTREAM = f"{OWN}.dkr.ecr.{WEST}.amazonaws.com"
ABROAD = f"{OTHER}.dkr.ecr.{WEST}.amazonaws.com"


def create(client: ECRClient, prefix: str = "cache", url: str = UPSTREAM, **more: Any) -> Any:
    answer: Any = client.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url, **more)
    del answer["ResponseMetadata"]
    return answer


# --- Rules ---


def test_what_is_created_is_described(client: ECRClient) -> None:
    made = create(client, "hub", "registry-1.docker.io", upstreamRegistry="docker-hub", credentialArn=SECRET)
    (found,) = client.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert found == made | {"updatedAt": made["createdAt"]}
    assert found["registryId"] == OWN
    assert found["upstreamRepositoryPrefix"] == "ROOT"
    assert (found["upstreamRegistry"], found["credentialArn"]) == ("docker-hub", SECRET)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("public.ecr.aws", "ecr-public"),
        ("quay.io", "quay"),
        ("registry.k8s.io", "k8s"),
        ("mine.azurecr.io", "azure-container-registry"),
        ("ghcr.io", "github-container-registry"),
        ("registry.gitlab.com", "gitlab-container-registry"),
        (UPSTREAM, "ecr"),
        (f"{OWN}.dkr-ecr.{WEST}.on.aws", "ecr"),
        (f"{OWN}.dkr.ecr-fips.{WEST}.amazonaws.com", "ecr"),
    ],
)
def test_the_kind_is_known_by_the_address(client: ECRClient, url: str, kind: str) -> None:
    assert create(client, url=url, credentialArn=SECRET)["upstreamRegistry"] == kind


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"url": "registry.example.com"}, "UnsupportedUpstreamRegistryException"),
        ({"url": "https://quay.io"}, "UnsupportedUpstreamRegistryException"),
        ({"url": "quay.io", "upstreamRegistry": "k8s"}, "UnsupportedUpstreamRegistryException"),
        ({"url": "registry-1.docker.io"}, "InvalidParameterException"),  # needs a secret
        ({"url": "ghcr.io", "credentialArn": SECRET.replace("us-east-1", WEST)}, "UnableToAccessSecretException"),
        ({"url": "ghcr.io", "credentialArn": SECRET.replace(OWN, OTHER)}, "UnableToAccessSecretException"),
        ({"url": ABROAD}, "InvalidParameterException"),  # needs a role
        ({"url": UPSTREAM.replace(WEST, "us-east-1")}, "InvalidParameterException"),  # itself
        ({"url": "quay.io", "upstreamRepositoryPrefix": "team"}, "InvalidParameterException"),
        ({"prefix": "ROOT", "upstreamRepositoryPrefix": "team"}, "InvalidParameterException"),
        ({"prefix": "a" * 31}, "InvalidParameterException"),
        ({"registryId": OTHER}, "AccessDeniedException"),
    ],
)
def test_what_is_refused(client: ECRClient, asked: Any, code: str) -> None:
    with refused(code):
        create(client, **asked)


def test_a_prefix_that_is_taken(client: ECRClient) -> None:
    create(client)
    with pytest.raises(client.exceptions.PullThroughCacheRuleAlreadyExistsException):
        create(client, "cache/", "quay.io")


def test_the_most_rules(ecr: EcrEmulator, client: ECRClient) -> None:
    assert ecr.limits.pull_through_cache_rules == 50
    ecr.limits.pull_through_cache_rules = 1
    create(client)
    with pytest.raises(client.exceptions.LimitExceededException):
        create(client, "quay", "quay.io")


def test_an_update_changes_the_secret(ecr: EcrEmulator, client: ECRClient) -> None:
    create(client, "hub", "registry-1.docker.io", credentialArn=SECRET)
    ecr.advance(60)
    new = SECRET.replace("hub", "new")
    changed = client.update_pull_through_cache_rule(ecrRepositoryPrefix="hub", credentialArn=new)
    assert changed["credentialArn"] == new
    (found,) = client.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert found["credentialArn"] == new
    assert found["updatedAt"] == changed["updatedAt"] > found["createdAt"]
    with pytest.raises(client.exceptions.UnableToAccessSecretException):
        client.update_pull_through_cache_rule(ecrRepositoryPrefix="hub", credentialArn=SECRET.replace(OWN, OTHER))


@pytest.mark.parametrize(
    "operation",
    ["delete_pull_through_cache_rule", "update_pull_through_cache_rule", "validate_pull_through_cache_rule"],
)
def test_a_rule_that_is_not_there(client: ECRClient, operation: str) -> None:
    with pytest.raises(client.exceptions.PullThroughCacheRuleNotFoundException, match="'none' does not exist"):
        getattr(client, operation)(ecrRepositoryPrefix="none")
    with pytest.raises(client.exceptions.PullThroughCacheRuleNotFoundException):
        client.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["none"])


def test_some_rules_and_pages(client: ECRClient) -> None:
    for prefix in ("aa", "bb", "cc"):
        create(client, prefix, "quay.io")
    some = client.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["cc", "aa"])["pullThroughCacheRules"]
    assert [rule["ecrRepositoryPrefix"] for rule in some] == ["cc", "aa"]
    pages = client.get_paginator("describe_pull_through_cache_rules").paginate(PaginationConfig={"PageSize": 2})
    found = [[rule["ecrRepositoryPrefix"] for rule in page["pullThroughCacheRules"]] for page in pages]
    assert found == [["aa", "bb"], ["cc"]]
    with refused("InvalidParameterException"):
        client.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["aa"], maxResults=1)


def test_deleting(client: ECRClient) -> None:
    create(client)
    assert client.delete_pull_through_cache_rule(ecrRepositoryPrefix="cache")["upstreamRegistryUrl"] == UPSTREAM
    assert client.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []


def test_validation_says_what_can_be_reached(client: ECRClient) -> None:
    create(client)
    create(client, "quay", "quay.io")
    assert client.validate_pull_through_cache_rule(ecrRepositoryPrefix="cache")["isValid"] is True
    answer = client.validate_pull_through_cache_rule(ecrRepositoryPrefix="quay")
    assert answer["isValid"] is False
    assert "emulator reaches no registry" in answer["failure"]


# --- Pulls ---


@pytest.fixture
def upstream(ecr: EcrEmulator, client: ECRClient) -> ECRClient:
    """A client of the upstream Region, where shop/web has an image tagged "v1"; "cache" leads there."""
    west = ecr.client(WEST, config=ONCE)
    west.create_repository(repositoryName="shop/web")
    push(west, "shop/web", version(1), "v1")
    create(client)
    return west


def pull(client: ECRClient, repository: str = "cache/shop/web", **image_id: str) -> Any:
    return client.batch_get_image(repositoryName=repository, imageIds=[image_id or {"imageTag": "v1"}])  # type: ignore[list-item]


def pulled(client: ECRClient, **image_id: str) -> str:
    (image,) = pull(client, **image_id)["images"]
    digest: str = image["imageId"]["imageDigest"]
    return digest


def pull_events(ecr: EcrEmulator) -> list[Any]:
    return [event for event in ecr.events if event.detail_type == "ECR Pull Through Cache Action"]


def test_a_pull_makes_the_repository_and_fetches(ecr: EcrEmulator, client: ECRClient, upstream: ECRClient) -> None:
    image = sample_image()
    push(upstream, "shop/web", image, "v2")
    (answer,) = pull(client, imageTag="v2")["images"]
    assert answer["imageManifest"] == image.text
    for digest in image.blobs:
        assert client.get_download_url_for_layer(repositoryName="cache/shop/web", layerDigest=digest)
    assert pulled(client, imageDigest=image.children[0].digest) == image.children[0].digest
    (event,) = pull_events(ecr)
    assert event.resources == (f"arn:aws:ecr:us-east-1:{OWN}:repository/cache/shop/web",)
    assert event.detail == {
        "rule-version": "1",
        "sync-status": "SUCCESS",
        "ecr-repository-prefix": "cache",
        "repository-name": "cache/shop/web",
        "upstream-registry-url": UPSTREAM,
        "image-tag": "v2",
        "image-digest": image.digest,
    }


@pytest.mark.usefixtures("upstream")
def test_a_pull_by_the_registrys_http_api(ecr: EcrEmulator) -> None:
    image = version(1)
    registry = RegistryClient.of(ecr)
    head = registry.ask("HEAD", "/v2/cache/shop/web/manifests/v1", Accept=image.media_type)
    assert (head.status, head.headers["Docker-Content-Digest"]) == (200, image.digest)
    for digest in image.blobs:
        assert registry.ask("GET", f"/v2/cache/shop/web/blobs/{digest}").status == 307
    assert registry.ask("GET", "/v2/cache/shop/none/manifests/v1").status == 404
    registry.close()


@pytest.mark.usefixtures("upstream")
def test_a_pull_by_digest(client: ECRClient) -> None:
    assert pulled(client, imageDigest=version(1).digest) == version(1).digest
    assert client.list_images(repositoryName="cache/shop/web")["imageIds"] == [{"imageDigest": version(1).digest}]


def test_a_tag_is_looked_for_again_after_a_day(ecr: EcrEmulator, client: ECRClient, upstream: ECRClient) -> None:
    assert pulled(client) == version(1).digest
    push(upstream, "shop/web", version(2), "v1")
    ecr.advance(DAY - 60)
    assert pulled(client) == version(1).digest
    ecr.advance(60)
    assert pulled(client) == version(2).digest
    assert len(pull_events(ecr)) == 2
    ecr.advance(DAY)
    assert pulled(client) == version(2).digest
    assert len(pull_events(ecr)) == 2  # nothing had changed


def test_the_cache_outlives_its_upstream(ecr: EcrEmulator, client: ECRClient, upstream: ECRClient) -> None:
    pull(client)
    upstream.delete_repository(repositoryName="shop/web", force=True)
    ecr.advance(DAY)
    assert pulled(client) == version(1).digest


def test_an_immutable_tag_stays(ecr: EcrEmulator, client: ECRClient, upstream: ECRClient) -> None:
    client.create_repository(repositoryName="cache/shop/web", imageTagMutability="IMMUTABLE")
    pull(client)
    push(upstream, "shop/web", version(2), "v1")
    ecr.advance(DAY)
    assert pulled(client) == version(1).digest


@pytest.mark.usefixtures("upstream")
def test_a_template_for_caches(client: ECRClient) -> None:
    client.create_repository_creation_template(
        prefix="cache", appliedFor=["PULL_THROUGH_CACHE"], imageTagMutability="IMMUTABLE"
    )
    pull(client)
    (made,) = client.describe_repositories()["repositories"]
    assert (made["repositoryName"], made["imageTagMutability"]) == ("cache/shop/web", "IMMUTABLE")


@pytest.mark.usefixtures("upstream")
def test_what_is_not_upstream(client: ECRClient) -> None:
    with refused("RepositoryNotFoundException"):
        pull(client, "cache/shop/none")
    with refused("RepositoryNotFoundException"):
        pull(client, imageTag="none")
    assert client.describe_repositories()["repositories"] == []
    pull(client)
    assert pull(client, imageTag="none")["failures"][0]["failureCode"] == "ImageNotFound"
    assert pull(client, imageTag="bad tag")["failures"][0]["failureCode"] == "InvalidImageTag"


@pytest.mark.parametrize(
    ("prefix", "upstream_prefix", "cache", "upstream_name"),
    [  # "Customizing repository prefixes for ECR to ECR pull through cache", user guide
        ("ecr-public", None, "ecr-public/my-app/image1", "my-app/image1"),
        ("ROOT", None, "my-app/image1", "my-app/image1"),
        ("team-a", "team-a", "team-a/myapp/image1", "team-a/myapp/image1"),
        ("my-app", "upstream-app", "my-app/image1", "upstream-app/image1"),
    ],
)
def test_names_are_mapped(
    ecr: EcrEmulator, client: ECRClient, prefix: str, upstream_prefix: str | None, cache: str, upstream_name: str
) -> None:
    west = ecr.client(WEST)
    west.create_repository(repositoryName=upstream_name)
    push(west, upstream_name, version(1), "v1")
    create(client, prefix, **({"upstreamRepositoryPrefix": upstream_prefix} if upstream_prefix else {}))
    assert pull(client, cache)["images"][0]["repositoryName"] == cache


def test_other_registries_cannot_be_reached(ecr: EcrEmulator, client: ECRClient) -> None:
    create(client, "quay", "quay.io")
    with pytest.raises(client.exceptions.UnableToGetUpstreamImageException, match="emulator reaches no registry"):
        pull(client, "quay/prometheus")
    with pytest.raises(client.exceptions.UnableToGetUpstreamLayerException, match="emulator reaches no registry"):
        client.get_download_url_for_layer(repositoryName="quay/prometheus", layerDigest="sha256:00")
    client.create_repository(repositoryName="quay/prometheus")
    (failure,) = pull(client, "quay/prometheus")["failures"]
    assert failure["failureCode"] == "UpstreamUnavailable"
    assert pull_events(ecr)[0].detail["sync-status"] == "FAILED"


@pytest.mark.usefixtures("upstream")
def test_a_push_into_a_cache_stays_until_upstream_has_the_tag(ecr: EcrEmulator, client: ECRClient) -> None:
    pull(client)
    push(client, "cache/shop/web", version(2), "mine")
    push(client, "cache/shop/web", version(3), "v1")
    ecr.advance(DAY)
    assert pulled(client, imageTag="mine") == version(2).digest
    assert pulled(client) == version(1).digest


@needs_archives
def test_an_archived_image_is_not_upstream(client: ECRClient, upstream: ECRClient) -> None:
    upstream.update_image_storage_class(
        repositoryName="shop/web", imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE"
    )
    with refused("RepositoryNotFoundException"):
        pull(client)


@pytest.mark.usefixtures("upstream")
def test_what_came_from_upstream_is_known(ecr: EcrEmulator, client: ECRClient, web: str) -> None:
    pull(client)
    assert ecr._running
    with ecr._running.agenda._state.store.transaction() as records:
        found = {
            repository.name: is_pull_through(records, repository)
            for repository in records.repositories(Registry(OWN, "us-east-1"))
        }
    assert found == {"cache/shop/web": True, web: False}


# --- Permissions ---


def allow(client: ECRClient, account: str, *actions: str) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": list(actions), "Resource": "*"}
    client.put_registry_policy(policyText=json.dumps({"Statement": [statement]}))


def test_an_upstream_in_another_account_has_to_allow_it(ecr: EcrEmulator, client: ECRClient) -> None:
    abroad = ecr.client(WEST, account_id=OTHER)
    abroad.create_repository(repositoryName="shop/web")
    push(abroad, "shop/web", version(1), "v1")
    create(client, url=ABROAD, customRoleArn=ROLE)
    with pytest.raises(client.exceptions.UnableToGetUpstreamImageException, match="does not allow ecr:BatchGetImage"):
        pull(client)
    client.create_repository(repositoryName="cache/shop/web")
    assert pull(client)["failures"][0]["failureCode"] == "UpstreamAccessDenied"
    allow(abroad, OWN, "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
    assert pulled(client) == version(1).digest


@pytest.mark.usefixtures("upstream")
def test_a_caller_of_another_account_needs_permission(ecr: EcrEmulator, client: ECRClient) -> None:
    other = ecr.client(account_id=OTHER, config=ONCE)
    wanted: Any = {"registryId": OWN, "repositoryName": "cache/shop/web", "imageIds": [{"imageTag": "v1"}]}
    allow(client, OTHER, "ecr:BatchGetImage", "ecr:CreateRepository")
    with refused("RepositoryNotFoundException"):
        other.batch_get_image(**wanted)
    client.create_repository(repositoryName="cache/shop/web")
    assert other.batch_get_image(**wanted)["failures"][0]["failureCode"] == "ImageNotFound"
    allow(client, OTHER, "ecr:BatchGetImage", "ecr:BatchImportUpstreamImage")
    assert other.batch_get_image(**wanted)["images"][0]["imageId"]["imageDigest"] == version(1).digest
