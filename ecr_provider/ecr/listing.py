"""All images of a repository, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from ecr_provider.ecr.faults import translated
from ecr_provider.ecr.limits import MAX_IMAGES_A_PAGE
from ecr_provider.ecr.repository import ImageDetail, Page

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository


def list_images(
    repository: EcrRepository, tag_status: Literal["TAGGED", "UNTAGGED", "ANY"] = "ANY"
) -> Iterator[ImageDetail]:
    """List the images that can be pulled, by DescribeImages, a thousand in a call; that does not count as a pull.

    A repository may change between two pages: an image that is pushed meanwhile may be missing.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html

    :raises RepositoryNotFoundError: there is no such repository.
    :raises EcrCallError: another failure of a call.
    """
    page: Page = {"maxResults": MAX_IMAGES_A_PAGE}
    while True:
        with translated("DescribeImages", str(repository)):
            answer = repository.client.describe_images(filter={"tagStatus": tag_status}, **page, **repository.address)
            found = [ImageDetail.from_api(each) for each in answer["imageDetails"]]
        yield from found
        if not (token := answer.get("nextToken")):
            return
        page["nextToken"] = token


def list_all_tagged(repository: EcrRepository) -> list[ImageDetail] | None:
    """List the images that have a tag, archived ones too, by one DescribeImages.

    :return: ``None``: there are more than one answer holds.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html

    :raises RepositoryNotFoundError: there is no such repository.
    :raises EcrCallError: another failure of the call.
    """
    with translated("DescribeImages", str(repository)):
        answer = repository.client.describe_images(
            filter={"tagStatus": "TAGGED", **repository.of_any_status()},
            maxResults=MAX_IMAGES_A_PAGE,
            **repository.address,
        )
        return None if answer.get("nextToken") else [ImageDetail.from_api(each) for each in answer["imageDetails"]]
