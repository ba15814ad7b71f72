"""ECR's own names for registries and images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from ecr_provider.exceptions import InvalidInputError, InvalidReferenceError
from ecr_provider.oci import Digest
from ecr_provider.oci.quoting import quote

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef

#: DNS suffix of every AWS partition, by botocore's name of it.
#: Source: botocore's ``endpoints.json``, against which a test holds this table.
DNS_SUFFIXES: Final = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-us-gov": "amazonaws.com",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    "aws-eusc": "amazonaws.eu",
}

_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+")

#: The suffixes of the end points that have IPv6, too.
#: Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html
_DUAL_STACK_SUFFIXES: Final = {"aws": "on.aws", "aws-cn": "on.amazonwebservices.com.cn"}
_SUFFIXES: Final = [*DNS_SUFFIXES.values(), *_DUAL_STACK_SUFFIXES.values()]
_HOST: Final = re.compile(
    rf"(?P<account>[0-9]{{12}})\.dkr[.-]ecr(?:-fips)?\.(?P<region>{_REGION.pattern})"
    rf"\.(?P<suffix>{'|'.join(map(re.escape, _SUFFIXES))})"
)


def check_registry_id(registry_id: object) -> str:
    """Return an AWS account id unchanged.

    :raises InvalidInputError: it is not text of 12 digits.
        Source: the pattern of ``RegistryId`` in ECR's service model.
    """
    if isinstance(registry_id, str) and _ACCOUNT_ID.fullmatch(registry_id):
        return registry_id
    raise InvalidInputError(
        f"registry_id {quote(registry_id)} is a {type(registry_id).__name__}; an AWS account id is text of 12 digits. "
        "Quote it; a leading zero counts."
    )


def check_place(region_name: str, partition: str) -> None:
    """Refuse a Region or a partition that has no registries.

    :raises InvalidReferenceError: it has none, as far as is known here.
    """
    if not _REGION.fullmatch(region_name):
        raise InvalidReferenceError(f"{region_name!r} is not an AWS Region; an example is 'eu-west-1'.")
    if partition not in DNS_SUFFIXES:
        raise InvalidReferenceError(f"{partition!r} is not a known AWS partition; they are {', '.join(DNS_SUFFIXES)}.")


def _partition_of(region_name: str, suffix: str) -> str:
    if region_name.startswith("us-gov-"):  # it shares its suffix with the commercial partition
        return "aws-us-gov"
    suffixes = (*DNS_SUFFIXES.items(), *_DUAL_STACK_SUFFIXES.items())
    return next(partition for partition, of_it in suffixes if of_it == suffix)


@dataclass(frozen=True, slots=True)
class EcrRegistry:
    """A private registry: one account in one Region.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html

    :param account_id: the AWS account id, 12 digits.
    :param region_name: the AWS Region.
    :param partition: botocore's name of the partition.
    """

    account_id: str
    region_name: str
    partition: str = "aws"

    def __post_init__(self) -> None:
        check_registry_id(self.account_id)
        check_place(self.region_name, self.partition)

    @classmethod
    def of_host(cls, host: str) -> Self | None:
        """Return the registry that a host name is of, in any of the forms that AWS has; ``None``: of none.

        Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html

        :param host: the host of an image reference.
        """
        found = _HOST.fullmatch(host)
        return (
            cls(found["account"], found["region"], _partition_of(found["region"], found["suffix"])) if found else None
        )

    @property
    def host(self) -> str:
        """The host name that image references carry, such as ``123456789012.dkr.ecr.eu-west-1.amazonaws.com``."""
        return f"{self.account_id}.dkr.ecr.{self.region_name}.{DNS_SUFFIXES[self.partition]}"


@dataclass(frozen=True, slots=True)
class ImageIdentifier:
    """ECR's ``imageId``: an image by digest, by tag, or by both, which then have to agree.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageIdentifier.html
    """

    digest: Digest | None = None
    tag: str | None = None

    def __post_init__(self) -> None:
        if self.digest is None and self.tag is None:
            raise InvalidInputError("An image is named by its tag, its digest or both; neither is given.")

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        return tag if self.digest is None else f"{tag}@{self.digest}"

    def to_api(self) -> ImageIdentifierTypeDef:
        """Return the form that boto3 takes."""
        identifier: ImageIdentifierTypeDef = {}
        if self.digest is not None:
            identifier["imageDigest"] = str(self.digest)
        if self.tag is not None:
            identifier["imageTag"] = self.tag
        return identifier

    @classmethod
    def from_api(cls, identifier: ImageIdentifierTypeDef) -> Self:
        """Read the form that boto3 answers.

        :raises InvalidDigestError: the digest is none.
        """
        digest = identifier.get("imageDigest")
        return cls(None if digest is None else Digest.parse(digest), identifier.get("imageTag"))
