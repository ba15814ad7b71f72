from __future__ import annotations

import string

import pytest
import strategies  # noqa: F401 - no deadlines
from botocore.loaders import Loader
from hypothesis import given
from hypothesis import strategies as st

from ecr_provider.ecr.identifiers import DNS_SUFFIXES, EcrRegistry, ImageIdentifier, check_registry_id
from ecr_provider.exceptions import InvalidInputError, InvalidReferenceError
from ecr_provider.oci import Digest, ImageReference

PARTITIONS = Loader().load_data("endpoints")["partitions"]


def test_the_dns_suffixes_are_those_of_botocore() -> None:
    assert {each["partition"]: each["dnsSuffix"] for each in PARTITIONS} == DNS_SUFFIXES


@pytest.mark.parametrize(
    ("partition", "region"), [(each["partition"], region) for each in PARTITIONS for region in each["regions"]]
)
def test_every_region_of_every_partition_makes_a_reference(partition: str, region: str) -> None:
    host = EcrRegistry("123456789012", region, partition).host
    reference = ImageReference(host, "shop/web", digest=Digest.of(b""))
    assert ImageReference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    "text", ["12345678901", "1234567890123", "abcdefghijkl", "", 123456789012, None, "\uff11" * 12]
)
def test_an_account_id_is_text_of_twelve_digits(text: object) -> None:
    with pytest.raises(InvalidInputError, match="12 digits"):
        check_registry_id(text)


@pytest.mark.parametrize(("region", "partition"), [("useast1", "aws"), ("us-east-1", "mars")])
def test_a_registry_is_checked(region: str, partition: str) -> None:
    with pytest.raises(InvalidReferenceError):
        EcrRegistry("123456789012", region, partition)


@pytest.mark.parametrize(
    "identifier",
    [ImageIdentifier(Digest.of(b"")), ImageIdentifier(tag="prod"), ImageIdentifier(Digest.of(b""), "prod")],
)
def test_an_image_identifier_round_trips(identifier: ImageIdentifier) -> None:
    assert ImageIdentifier.from_api(identifier.to_api()) == identifier


def test_an_image_identifier_names_something() -> None:
    with pytest.raises(InvalidInputError, match="tag, its digest or both"):
        ImageIdentifier()


def test_an_image_identifier_reads_like_the_end_of_a_reference() -> None:
    assert str(ImageIdentifier(Digest("sha256", "0" * 64), "prod")) == f":prod@sha256:{'0' * 64}"


# --- The registry of a host ---

REGIONS = [(each["partition"], region) for each in PARTITIONS for region in each["regions"]]


@pytest.mark.parametrize(("partition", "region"), REGIONS)
def test_every_registry_is_known_by_its_host(partition: str, region: str) -> None:
    registry = EcrRegistry("012345678901", region, partition)
    assert EcrRegistry.of_host(registry.host) == registry


@given(st.from_regex(r"[0-9]{12}", fullmatch=True, alphabet=string.digits), st.sampled_from(REGIONS))
def test_every_account_s_registry_is_known_by_its_host(account_id: str, place: tuple[str, str]) -> None:
    registry = EcrRegistry(account_id, place[1], place[0])
    assert EcrRegistry.of_host(registry.host) == registry


# https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html, and the hosts that AWS's own
# amazon-ecr-credential-helper logs in to.
@pytest.mark.parametrize(
    ("host", "region", "partition"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", "aws"),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "us-east-1", "aws"),
        ("123456789012.dkr-ecr.us-east-1.on.aws", "us-east-1", "aws"),
        ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1", "aws"),
        ("123456789012.dkr.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1", "aws-us-gov"),
        ("123456789012.dkr.ecr-fips.us-gov-east-1.amazonaws.com", "us-gov-east-1", "aws-us-gov"),
        ("123456789012.dkr-ecr.us-gov-west-1.on.aws", "us-gov-west-1", "aws-us-gov"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", "aws-cn"),
        ("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1", "aws-cn"),
        ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", "aws-iso"),
        ("123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1", "aws-iso-b"),
        ("123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1", "aws-iso-e"),
        ("123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1", "aws-iso-f"),
        ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", "aws-eusc"),
    ],
)
def test_every_form_of_a_host_is_known(host: str, region: str, partition: str) -> None:
    assert EcrRegistry.of_host(host) == EcrRegistry("123456789012", region, partition)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost:5000",
        "ghcr.io",
        "public.ecr.aws",
        "ecr-public.aws.com",
        "api.ecr.us-east-1.amazonaws.com",
        "ecr.us-east-1.amazonaws.com",
        "dkr.ecr.us-east-1.amazonaws.com",
        "12345678901.dkr.ecr.us-east-1.amazonaws.com",
        "1234567890123.dkr.ecr.us-east-1.amazonaws.com",
        "\uff11" * 12 + ".dkr.ecr.us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com:443",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com\n",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com.example.com",
        "123456789012.dkr.ecr.us-east-1.amazonaws.comx",
        "123456789012.dkr.ecr.us-east-1.amazonawsxcom",
        "123456789012xdkr.ecr.us-east-1.amazonaws.com",
        "evil.123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "https://123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1.evil.amazonaws.com",
        "123456789012.dkr.ecr..amazonaws.com",
        "123456789012.dkr.ecr.amazonaws.com",
        "123456789012.dkr.ecr.useast1.amazonaws.com",
        "123456789012.dkr.ecr.-.on.aws",
    ],
)
def test_what_is_no_host_of_ecr_s_has_no_registry(host: str) -> None:
    assert EcrRegistry.of_host(host) is None


@given(
    st.text()
    | st.from_regex(
        r"[0-9]{11,13}\.dkr[.-]ecr(-fips)?\.[a-z0-9-]{0,12}\.(amazonaws\.(com|eu)|on\.aws)",
        fullmatch=True,
        alphabet=string.printable,
    )
)
def test_any_text_is_a_host_of_ecr_s_or_of_nobody(host: str) -> None:
    registry = EcrRegistry.of_host(host)
    assert registry is None or host.startswith(f"{registry.account_id}.dkr")
