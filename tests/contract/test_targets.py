"""What keeps a real account safe, held against the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError
from contract.case import Case, call
from contract.cases import by_subject
from contract.phrases import get, put
from contract.runner import BrokenContractError, UnavailableError, run
from contract.targets import AwsTarget, ForeignRepositoryError, MotoTarget, available

from ecr_provider.emulator import EcrEmulator


@pytest.fixture
def ecr() -> Iterator[EcrEmulator]:
    with EcrEmulator() as emulator:
        yield emulator


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111122223333")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


@pytest.fixture
def aws(ecr: EcrEmulator, pauses: list[float], credentials: None) -> Iterator[AwsTarget]:  # noqa: ARG001 - its effect
    with AwsTarget(ecr.endpoint_url, sleep=pauses.append) as target:
        yield target


def left_behind(ecr: EcrEmulator) -> list[str]:
    client = ecr.client("eu-central-1", "111122223333")
    return [repository["repositoryName"] for repository in client.describe_repositories()["repositories"]]


def test_it_runs_in_the_account_and_region_of_boto3(aws: AwsTarget) -> None:
    assert (aws.account, aws.region) == ("111122223333", "eu-central-1")


def test_a_real_account_is_never_called_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECR_CONTRACT_AWS", raising=False)
    assert "aws" not in available()
    monkeypatch.setenv("ECR_CONTRACT_AWS", "1")
    assert "aws" in available()


def test_repositories_have_names_of_their_own(aws: AwsTarget) -> None:
    with aws.repository() as one, aws.repository() as other:
        assert one != other
        assert one.startswith("ecr-contract-")
        assert one.partition("/")[0] == other.partition("/")[0]


def test_a_case_leaves_nothing_behind(aws: AwsTarget, ecr: EcrEmulator) -> None:
    run(Case("kept", "M: a test", "one at v1", put("two", "v2")), aws)
    with pytest.raises(BrokenContractError, match="it was not refused"):
        run(Case("broken", "M: a test", "one at v1", put("two", "v2").refused("KmsException")), aws)
    assert left_behind(ecr) == []


def test_what_a_case_could_not_delete_the_end_of_the_run_does(ecr: EcrEmulator, aws: AwsTarget) -> None:
    ecr.faults.fail("DeleteRepository", "AccessDeniedException")
    with pytest.raises(ClientError), aws.repository() as name:
        aws.client().create_repository(repositoryName=name)
    assert left_behind(ecr) == [name]
    aws.__exit__()
    assert left_behind(ecr) == []


FOREIGN: list[tuple[str, dict[str, object]]] = [
    ("DeleteRepository", {"repositoryName": "shop/web", "force": True}),
    ("CreateRepository", {"repositoryName": "ecr-contract-/web"}),
    ("DeleteRepository", {"repositoryName": "{repository}", "registryId": "999999999999"}),
    ("BatchDeleteImage", {"repositoryName": "shop/web", "imageIds": [{"imageTag": "v1"}]}),
    ("TagResource", {"resourceArn": "arn:aws:ecr:us-east-1:123456789012:repository/shop/web", "tags": []}),
    ("PutReplicationConfiguration", {"replicationConfiguration": {"rules": []}}),
    ("PutRegistryPolicy", {"policyText": "{}"}),
    ("DeleteRegistryPolicy", {}),
    ("PutRegistryScanningConfiguration", {"scanType": "ENHANCED"}),
]


def test_what_is_not_its_own_is_never_written(aws: AwsTarget, ecr: EcrEmulator) -> None:
    ecr.clear_requests()
    for operation, parameters in FOREIGN:
        with pytest.raises(ForeignRepositoryError, match=operation):
            aws.client()._make_api_call(operation, parameters)
    assert ecr.calls == []


def test_cases_about_a_registry_are_not_run(aws: AwsTarget) -> None:
    settings = Case("settings", "M: a test", "no repository", call("DeleteRegistryPolicy"))
    assert "more than the case's own repository" in str(aws.unfit(settings))
    elsewhere = Case("elsewhere", "M: a test", "no repository", get({"imageTag": "a"}).at(region="eu-west-1"))
    assert "left alone" in str(aws.unfit(elsewhere))
    assert aws.unfit(Case("its own", "M: a test", "one at v1", put("two", "v2"))) is None


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(("prefixes", "stops"), [([], True), (["ecr-contract"], True), (["shop"], False)])
def test_nothing_is_pushed_where_it_would_be_replicated(ecr: EcrEmulator, prefixes: list[str], *, stops: bool) -> None:
    filters: list[Any] = [{"filter": prefix, "filterType": "PREFIX_MATCH"} for prefix in prefixes]
    rule: Any = {"destinations": [{"region": "eu-west-1", "registryId": "111122223333"}]}
    rule |= {"repositoryFilters": filters} if filters else {}
    ecr.client("eu-central-1", "111122223333").put_replication_configuration(replicationConfiguration={"rules": [rule]})
    with pytest.raises(RuntimeError, match="replicates") if stops else nullcontext(), AwsTarget(ecr.endpoint_url):
        pass


def test_writes_are_paced(aws: AwsTarget, pauses: list[float]) -> None:
    with aws.repository() as name:
        aws.client().describe_repositories()
        assert pauses == []
        aws.client().create_repository(repositoryName=name)
        assert pauses == [0.15]


def test_all_that_may_be_run_on_a_real_account_passes_there(aws: AwsTarget, ecr: EcrEmulator) -> None:
    """The emulator in the place of the account: nothing stops at the guard, and nothing is left."""
    cases = [case for cases in by_subject().values() for case in cases if not aws.unfit(case)]
    assert cases
    for case in cases:
        with suppress(UnavailableError):
            run(case, aws)
    assert left_behind(ecr) == []


def test_moto_has_its_own_endpoint() -> None:
    with MotoTarget() as moto, moto.repository() as name:
        assert moto.client().create_repository(repositoryName=name)["repository"]["repositoryName"] == name
