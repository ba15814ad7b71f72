"""One ECR repository, on a boto client handed in: read, put and describe images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NotRequired, Self, TypedDict, cast

from ecr_provider.ecr.faults import from_failure, translated
from ecr_provider.ecr.identifiers import EcrRegistry, ImageIdentifier, check_place, check_registry_id
from ecr_provider.ecr.limits import MAX_IMAGE_IDS
from ecr_provider.exceptions import DigestMismatchError, EcrCallError, RepositoryNotFoundError
from ecr_provider.oci import Digest, ImageReference, Manifest, check_repository_name, parse_manifest
from ecr_provider.oci.media_types import DOCKER_MANIFEST_V1, DOCKER_MANIFEST_V1_SIGNED, MANIFEST_TYPES

if TYPE_CHECKING:
    from datetime import datetime

    from botocore.model import StructureShape
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import (
        BatchGetImageRequestTypeDef,
        DescribeImagesFilterTypeDef,
        ImageDetailTypeDef,
        ImageFailureTypeDef,
        ImageTypeDef,
    )

#: Asked for by tag, ECR converts an image whose type is not accepted, which changes its digest: so all are.
#: Schema 1 is accepted to learn the digest behind a tag, and refused as a source when it is parsed.
#: Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-manifest-formats.html
ACCEPTED_MEDIA_TYPES: Final = (*MANIFEST_TYPES, DOCKER_MANIFEST_V1_SIGNED, DOCKER_MANIFEST_V1)


@dataclass(frozen=True, slots=True)
class Image:
    """An image as BatchGetImage answers it; the text is not checked against the digest before ``manifest()``."""

    registry_id: str
    digest: Digest
    tag: str | None
    text: str
    media_type: str | None

    @classmethod
    def from_api(cls, image: ImageTypeDef) -> Self:
        """Read the form that boto3 answers."""
        return cls(
            registry_id=image["registryId"],
            digest=Digest.parse(image["imageId"]["imageDigest"]),
            tag=image["imageId"].get("imageTag"),
            text=image["imageManifest"],
            media_type=image.get("imageManifestMediaType"),
        )

    @property
    def raw(self) -> bytes:
        """The bytes of the text; what cannot be encoded is left to fail the digest."""
        return self.text.encode("utf-8", "surrogatepass")

    def answers(self, identifier: ImageIdentifier) -> bool:
        """Tell whether this is the image that the identifier asks for."""
        return identifier.tag in (None, self.tag) and identifier.digest in (None, self.digest)

    def manifest(self) -> Manifest | None:
        """Return the manifest, or ``None`` where the text is not the one that the digest names.

        That happens where ECR converted the image to another format for an answer by tag.

        :raises InvalidManifestError: the manifest is none that can be released.
        """
        return parse_manifest(self.raw, self.media_type) if self.digest.matches(self.raw) else None


@dataclass(frozen=True, slots=True)
class ImageDetail:
    """What DescribeImages says of an image.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html

    :param image_status: ``ACTIVE``, ``ARCHIVED`` or ``ACTIVATING``.
    :param image_size_in_bytes: the compressed size; for an index, that of its largest image.
    :param subject: what it refers to, if it is a signature or the like, as far as the installed botocore knows.
    """

    registry_id: str
    digest: Digest
    tags: tuple[str, ...]
    media_type: str | None
    image_status: str
    image_size_in_bytes: int | None
    image_pushed_at: datetime | None
    subject: Digest | None = None

    @classmethod
    def from_api(cls, detail: ImageDetailTypeDef) -> Self:
        """Read the form that boto3 answers."""
        return cls(
            registry_id=detail["registryId"],
            digest=Digest.parse(detail["imageDigest"]),
            tags=tuple(detail.get("imageTags", ())),
            media_type=detail.get("imageManifestMediaType"),
            image_status=detail.get("imageStatus", "ACTIVE"),
            image_size_in_bytes=detail.get("imageSizeInBytes"),
            image_pushed_at=detail.get("imagePushedAt"),
            subject=Digest.parse(subject) if (subject := detail.get("subjectManifestDigest")) else None,
        )

    def answers(self, identifier: ImageIdentifier) -> bool:
        """Tell whether this is the image that the identifier asks for."""
        return identifier.tag in (None, *self.tags) and identifier.digest in (None, self.digest)

    @property
    def is_active(self) -> bool:
        """Tell whether the image can be pulled: neither archived nor still being restored."""
        return self.image_status == "ACTIVE"


class RepositoryAddress(TypedDict):
    """What every call about a repository names it by."""

    repositoryName: str
    registryId: NotRequired[str]


class Page(TypedDict):
    """Which part of a long answer a call asks for."""

    maxResults: int
    nextToken: NotRequired[str]


class EcrRepository:
    """A repository of a private registry.

    :param client: a boto3 client for ECR.
    :param repository_name: the repository's name, without the registry.
    :param registry_id: the AWS account id of the registry; by default the caller's own.
    :raises InvalidReferenceError: the repository's name breaks ECR's grammar.
    :raises InvalidInputError: ``registry_id`` is not text of 12 digits; the client's Region is none that an image
        reference can name.
    """

    def __init__(self, client: ECRClient, repository_name: str, registry_id: str | None = None) -> None:
        self.client = client
        self.repository_name = check_repository_name(repository_name)
        self.registry_id = None if registry_id is None else check_registry_id(registry_id)
        check_place(self.region_name, self.partition)

    def __str__(self) -> str:
        return self.repository_name

    @property
    def address(self) -> RepositoryAddress:
        """What every call about the repository names it by."""
        if self.registry_id is None:
            return {"repositoryName": self.repository_name}
        return {"repositoryName": self.repository_name, "registryId": self.registry_id}

    @property
    def region_name(self) -> str:
        """The AWS Region of the client."""
        return self.client.meta.region_name

    @property
    def partition(self) -> str:
        """The AWS partition of the client, in botocore's words."""
        return self.client.meta.partition

    def image_uri(self, registry_id: str, digest: Digest) -> str:
        """Return the reference that pins the image by digest, for ECS, Lambda, Kubernetes and the rest."""
        host = EcrRegistry(registry_id, self.region_name, self.partition).host
        return str(ImageReference(host, self.repository_name, digest=digest))

    def read(self, identifiers: Iterable[ImageIdentifier]) -> dict[ImageIdentifier, Image | EcrCallError]:
        """Read images by BatchGetImage, in as few calls as its limit of 100 identifiers allows.

        Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html

        :return: for each identifier its image, or the error that says why there is none.
        :raises RepositoryNotFoundError: there is no such repository.
        :raises EcrCallError: another failure of the call as a whole.
        """
        wanted = list(dict.fromkeys(identifiers))
        batches = (wanted[start : start + MAX_IMAGE_IDS] for start in range(0, len(wanted), MAX_IMAGE_IDS))
        return {identifier: result for batch in batches for identifier, result in self._read_batch(batch)}

    def get_image(self, identifier: ImageIdentifier) -> Image:
        """Read one image.

        :raises ImageNotFoundError: there is no such image.
        :raises ImageInaccessibleError: the image is archived or not yet restored.
        """
        result = self.read([identifier])[identifier]
        if isinstance(result, EcrCallError):
            raise result
        return result

    def manifest_of(self, image: Image) -> Manifest:
        """Return the image's manifest, read again by digest if ECR converted it.

        :raises DigestMismatchError: by digest, too, the text is not the one that the digest names.
        :raises InvalidManifestError: the manifest is none that can be released.
        """
        if manifest := image.manifest():
            return manifest
        again = self.get_image(ImageIdentifier(image.digest))
        if manifest := again.manifest():
            return manifest
        actual = Digest.of(again.raw)
        raise DigestMismatchError(
            f"ECR answers {self}@{image.digest} with a manifest whose digest is {actual}. "
            "Do not release it: the content is not what its name says. Look for a proxy that changes answers.",
            expected=str(image.digest),
            actual=str(actual),
        )

    def put_image(self, manifest: Manifest, tag: str | None = None) -> str:
        """Put a manifest, under a tag if one is given, by PutImage; ECR verifies its digest.

        Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html

        :return: the registry id.
        :raises DigestMismatchError: ECR's answer names another digest.
        :raises EcrCallError: ECR refused or failed the call.
        """
        with translated("PutImage", f"{self}{ImageIdentifier(manifest.digest, tag)}"):
            image = self.client.put_image(
                imageManifest=manifest.text,
                imageManifestMediaType=manifest.media_type,
                **ImageIdentifier(manifest.digest, tag).to_api(),
                **self.address,
            )["image"]
            registry_id, put = image["registryId"], ImageIdentifier.from_api(image["imageId"])
        if put != ImageIdentifier(manifest.digest, tag):
            raise DigestMismatchError(
                f"PutImage of {self}{ImageIdentifier(manifest.digest, tag)} answered {self}{put}. "
                "Do not deploy this image before you know why they differ.",
                expected=str(manifest.digest),
                actual=str(put.digest),
            )
        return registry_id

    def describe_image(self, identifier: ImageIdentifier) -> ImageDetail:
        """Describe one image, archived ones too, by DescribeImages; unlike a read, this does not count as a pull.

        Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html

        :raises ImageNotFoundError: there is no such image.
        :raises ImageInaccessibleError: it is archived, and the installed botocore is too old to ask for those.
        :raises RepositoryNotFoundError: there is no such repository.
        """
        details = self.describe_images([identifier])
        # Without the filter, ECR leaves an archived image out of the answer; one that is missing, it calls so.
        archived: ImageFailureTypeDef = {"failureCode": "ImageInaccessible", "failureReason": "not described"}
        detail = next((detail for detail in details if detail.answers(identifier)), None)
        if detail is None:
            raise from_failure(None if details else archived, f"{self}{identifier}")
        return detail

    def describe_images(self, identifiers: Sequence[ImageIdentifier]) -> list[ImageDetail]:
        """Describe up to a hundred images in one call, archived ones too as far as the installed botocore can ask.

        Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html

        :raises ImageNotFoundError: one of them does not exist.
        :raises RepositoryNotFoundError: there is no such repository.
        """
        with translated("DescribeImages", f"{self}{', '.join(map(str, identifiers))}"):
            answer = self.client.describe_images(
                imageIds=[identifier.to_api() for identifier in identifiers],
                filter=self.of_any_status(),
                **self.address,
            )
            return [ImageDetail.from_api(detail) for detail in answer["imageDetails"]]

    def find_registry_id(self) -> str | None:
        """Return the AWS account id of the registry, by DescribeRepositories; ``None``: there is no such repository.

        Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html

        :raises EcrCallError: a failure of the call.
        """
        if self.registry_id is not None:
            return self.registry_id
        try:
            with translated("DescribeRepositories", str(self)):
                answer = self.client.describe_repositories(repositoryNames=[self.repository_name])
                return answer["repositories"][0]["registryId"]
        except RepositoryNotFoundError:
            return None

    def of_any_status(self) -> DescribeImagesFilterTypeDef:
        """Return the filter that lets archived images through, too; a botocore from before them does not know it."""
        known = cast("StructureShape", self.client.meta.service_model.shape_for("DescribeImagesFilter")).members
        return {"imageStatus": "ANY"} if "imageStatus" in known else {}

    def _read_batch(self, batch: list[ImageIdentifier]) -> Iterator[tuple[ImageIdentifier, Image | EcrCallError]]:
        request: BatchGetImageRequestTypeDef = {
            **self.address,
            "imageIds": [identifier.to_api() for identifier in batch],
            "acceptedMediaTypes": list(ACCEPTED_MEDIA_TYPES),
        }
        subject = f"{self}{', '.join(map(str, batch))}"
        with translated("BatchGetImage", subject):
            answer = self.client.batch_get_image(**request)
            images = [Image.from_api(image) for image in answer["images"]]
            failures = {
                ImageIdentifier.from_api(failure["imageId"]): failure
                for failure in answer["failures"]
                if failure.get("imageId")
            }
        for identifier in batch:
            image = next((image for image in images if image.answers(identifier)), None)
            if image or identifier in failures:
                yield identifier, image or from_failure(failures[identifier], f"{self}{identifier}")
            elif len(batch) == 1:
                # However ECR words the identifier of the one image asked for, its failure is that image's.
                yield identifier, from_failure(next(iter(failures.values()), None), f"{self}{identifier}")
            else:
                # Whether ECR answers once for each of several tags of one image is not documented.
                yield from self._read_batch([identifier])
