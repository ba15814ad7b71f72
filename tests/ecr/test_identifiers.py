from __future__ import annotations

import pytest
from botocore.loaders import Loader

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
