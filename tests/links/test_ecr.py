from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.loaders import Loader
from local_ecr import ACCOUNT, REPOSITORY

from ecr_provider.ecr.identifiers import DNS_SUFFIXES
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator
from ecr_provider.links.console import CONSOLE_DOMAINS
from ecr_provider.links.ecr import EcrImageLink, EcrRepositoryLink
from ecr_provider.oci import Digest

DIGEST = Digest.of(b"")


class TaskInstance:
    """As much of Airflow's as a link uses."""

    def __init__(self) -> None:
        self.xcoms: dict[str, str] = {}

    def xcom_push(self, key: str, value: str) -> None:
        self.xcoms[key] = value


def stored(ecr: EcrEmulator, region: str, registry_id: str | None) -> dict[str, str]:
    context: Any = {"ti": TaskInstance()}
    repository = EcrRepository(ecr.client(region_name=region), REPOSITORY)
    EcrRepositoryLink().persist(context, repository, registry_id)
    if registry_id:
        EcrImageLink().persist(context, repository, registry_id, DIGEST)
    xcoms: dict[str, str] = context["ti"].xcoms
    return xcoms


@pytest.mark.parametrize(
    ("region", "console"),
    [
        ("eu-west-1", "console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
        ("us-iso-east-1", "console.c2shome.ic.gov"),
        ("us-isob-east-1", "console.sc2shome.sgov.gov"),
        ("eu-isoe-west-1", "console.csphome.adc-e.uk"),
        ("us-isof-south-1", "console.csphome.hci.ic.gov"),
        ("eusc-de-east-1", "console.amazonaws-eusc.eu"),
    ],
)
def test_the_links_of_every_partition(ecr: EcrEmulator, region: str, console: str) -> None:
    base = f"https://{console}/ecr/repositories/private/{ACCOUNT}/{REPOSITORY}"
    assert stored(ecr, region, ACCOUNT) == {
        "_link_EcrRepositoryLink": f"{base}?region={region}",
        "_link_EcrImageLink": f"{base}/_/image/{DIGEST}/details?region={region}",
    }


def test_the_link_of_an_unknown_account_is_the_list_of_repositories(ecr: EcrEmulator) -> None:
    url = "https://console.aws.amazon.com/ecr/private-registry/repositories?region=us-east-1"
    assert stored(ecr, "us-east-1", None) == {"_link_EcrRepositoryLink": url}


def test_every_partition_has_a_console() -> None:
    assert set(CONSOLE_DOMAINS) == set(DNS_SUFFIXES)


@pytest.mark.skipif("signin" not in Loader().list_available_services("service-2"), reason="an older botocore")
def test_the_consoles_are_where_botocore_signs_in() -> None:
    rules = str(Loader().load_service_model("signin", "endpoint-rule-set-1"))
    assert set(CONSOLE_DOMAINS.values()) <= set(re.findall(r"https://\{Region\}\.signin\.([a-z0-9.-]+)", rules))
