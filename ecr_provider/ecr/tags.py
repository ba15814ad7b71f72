"""What many tags of a repository name now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.limits import MAX_IMAGE_IDS
from ecr_provider.ecr.repository import EcrRepository, ImageDetail
from ecr_provider.exceptions import ImageNotFoundError


def describe_tags(repository: EcrRepository, tags: Iterable[str]) -> dict[str, ImageDetail | None]:
    """Tell what each tag names, archived images too, by DescribeImages, a hundred in a call; none counts as a pull.

    ECR refuses a call that names one tag that is not there, without saying which: such a call is halved.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html

    :return: for each tag its image; ``None``: there is no such tag.
    :raises RepositoryNotFoundError: there is no such repository.
    :raises EcrCallError: another failure of a call.
    """
    wanted = list(dict.fromkeys(tags))
    batches = (wanted[start : start + MAX_IMAGE_IDS] for start in range(0, len(wanted), MAX_IMAGE_IDS))
    return {tag: detail for batch in batches for tag, detail in _describe(repository, batch)}


def _describe(repository: EcrRepository, tags: Sequence[str]) -> Iterator[tuple[str, ImageDetail | None]]:
    try:
        details = repository.describe_images([ImageIdentifier(tag=tag) for tag in tags])
    except ImageNotFoundError:
        if len(tags) == 1:
            yield tags[0], None
            return
        middle = len(tags) // 2
        yield from _describe(repository, tags[:middle])
        yield from _describe(repository, tags[middle:])
        return
    for tag in tags:
        yield tag, next((detail for detail in details if tag in detail.tags), None)
