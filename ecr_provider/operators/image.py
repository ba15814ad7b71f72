"""Put container images under tags."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator, Context

from ecr_provider.assets.lineage import repository_reference
from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.put_plan import PutRequest
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.hooks.mixin import AWS_TEMPLATE_FIELDS, failing_at_once
from ecr_provider.links.ecr import EcrImageLink, EcrRepositoryLink
from ecr_provider.oci import Digest, ImageReference, Manifest, check_tag, parse_manifest
from ecr_provider.operators.mixin import ABSENT, TaggingMixin, link, log_line
from ecr_provider.version_compat import literal, xcom_value

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository

__all__ = ["ABSENT", "EcrPutImageOperator"]


class EcrPutImageOperator(TaggingMixin, BaseOperator):
    """Put an image under one or more tags of an Amazon ECR repository, verified by digest.

    A retag reads the source and every target tag in one ``BatchGetImage``, and makes one ``PutImage`` for each tag
    that has to move; a tag that points at the image already is success, with the outcome ``unchanged``. The manifest
    reaches ECR byte for byte: it is never rendered by Jinja, and its digest is computed here, verified by ECR, and
    compared with ECR's answer.

    .. seealso::
        For how to use this operator, take a look at the guide: :ref:`howto/operator:EcrPutImageOperator`

    Exactly one source has to be given: ``source_image_tag``, ``source_image_digest`` or ``image_manifest``.

    :param repository_name: the repository, without the registry. (templated)
    :param image_tag: the tag to put the image under; without any tag a manifest is put by digest only. (templated)
    :param image_tags: several tags, instead of ``image_tag``. (templated)
    :param source_image_tag: the tag of an image of the same repository. (templated)
    :param source_image_digest: the digest of an image of the same repository. (templated)
    :param image_manifest: the manifest itself. A ``str`` is put as it is, to the byte. A ``dict`` has no bytes of
        its own: it is put as compact JSON in UTF-8 with sorted keys. Neither is rendered by Jinja; an upstream
        task's ``output`` is resolved.
    :param image_manifest_media_type: its media type; needed only if the manifest does not say it and it is not that
        of an OCI image or index. (templated)
    :param image_digest: the digest that the image must have; checked before anything is put. (templated)
    :param expected_current_digest: move a tag only if it points at this digest now, or, with
        :data:`~ecr_provider.operators.image.ABSENT`, only if it does not exist. Checked before the write, and the tag
        is read back after it. ECR has no conditional write: a writer in the instant between check and write is
        not noticed, one right after it is. (templated)
    :param emit_unchanged: have the outlets tell also of a tag that pointed at the image already. Otherwise they tell
        of what changed, and of what their last event does not tell.
    :param registry_id: the AWS account id of the registry; by default that of the connection. (templated)
    :param aws_conn_id: the Airflow connection. ``None``: boto3's own credential chain. (templated)
    :param region_name: the AWS Region; by default that of the connection. (templated)
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. (templated)
    :param botocore_config: arguments of botocore's ``Config``.
    :raises InvalidInputError: the arguments contradict each other.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
    """

    template_fields: Sequence[str] = (
        *AWS_TEMPLATE_FIELDS,
        "image_tag",
        "image_tags",
        "source_image_tag",
        "source_image_digest",
        "image_manifest",
        "image_manifest_media_type",
        "image_digest",
        "expected_current_digest",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"image_manifest": "json"}
    operator_extra_links = (EcrImageLink(), EcrRepositoryLink())
    ui_color = "#ff9900"

    def __init__(
        self,
        *,
        repository_name: str,
        image_tag: str | None = None,
        image_tags: Sequence[str] | None = None,
        source_image_tag: str | None = None,
        source_image_digest: str | None = None,
        image_manifest: str | dict[str, Any] | None = None,
        image_manifest_media_type: str | None = None,
        image_digest: str | None = None,
        expected_current_digest: str | None = None,
        emit_unchanged: bool = False,
        registry_id: str | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        self.repository_name = repository_name
        self.image_tag = image_tag
        self.image_tags = image_tags
        self.source_image_tag = source_image_tag
        self.source_image_digest = source_image_digest
        # Jinja would drop the last newline, and native rendering would make a dict of the text: another digest.
        self.image_manifest = literal(image_manifest) if isinstance(image_manifest, (str, dict)) else image_manifest
        self.image_manifest_media_type = image_manifest_media_type
        self.image_digest = image_digest
        self.expected_current_digest = expected_current_digest
        self.emit_unchanged = emit_unchanged
        self.registry_id = registry_id
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_combination()
        self.remember_given()

    def _check_combination(self) -> None:
        sources = [
            name
            for name in ("source_image_tag", "source_image_digest", "image_manifest")
            if getattr(self, name) is not None
        ]
        if len(sources) != 1:
            raise InvalidInputError(
                "Give exactly one of source_image_tag, source_image_digest and image_manifest: "
                f"given {' and '.join(sources) or 'none'}."
            )
        if self.image_manifest is None and self.image_manifest_media_type is not None:
            raise InvalidInputError(f"image_manifest_media_type goes with image_manifest, not with {sources[0]}.")
        if not self.has_tags and self.image_manifest is None:
            raise InvalidInputError(f"Give image_tag or image_tags: {sources[0]} alone leaves nothing to put.")
        self.check_tags()

    def execute(self, context: Context) -> dict[str, Any]:
        """Put the image and return what the next task needs: see :class:`~ecr_provider.ecr.report.ImageReport`."""
        from ecr_provider.ecr.put_image import (  # noqa: PLC0415 - imports botocore, as the hook does
            PATIENCE_WITH_QUOTA,
            carry_out,
            plan_put,
        )

        with failing_at_once():
            request = self._request()
            repository = self.hook.repository(self.repository_name, registry_id=self.registry_id)
            EcrRepositoryLink().persist(context, repository, self.registry_id)
            self.note_attempt(_reference(request, repository, self.registry_id), repository, self.registry_id)
            plan = plan_put(repository, request)
            known_id = plan.registry_id or self.registry_id
            source = _reference(request, repository, known_id, plan.manifest.digest)
            with self.attempting(source, repository, lambda: known_id, plan.manifest.digest):
                self.check_outlets(context, repository, known_id)
                link(context, repository, plan, known_id)
                done, registry_id = carry_out(repository, plan, patience=PATIENCE_WITH_QUOTA)
        if plan.registry_id is None:
            link(context, repository, plan, registry_id)
        for move in done.moves:
            self.log.info("%s", log_line(context, repository, done, move))
        report = done.report(repository, registry_id)
        self.tell_outlets(context, repository, report)
        return xcom_value(report)

    def _request(self) -> PutRequest:
        """Parse the arguments; from here on there are types."""
        self.check_rendered()
        return PutRequest(
            source=self._source(),
            tags=self.tags(),
            digest=self.parsed("image_digest", Digest.parse),
            guard=self.guard(),
        )

    def _source(self) -> Manifest | ImageIdentifier:
        if (tag := self.parsed("source_image_tag", check_tag)) is not None:
            return ImageIdentifier(tag=tag)
        if (digest := self.parsed("source_image_digest", Digest.parse)) is not None:
            return ImageIdentifier(digest)
        return parse_manifest(_manifest_text(self.image_manifest), self.image_manifest_media_type)


def _reference(
    request: PutRequest, repository: EcrRepository, registry_id: str | None, digest: Digest | None = None
) -> ImageReference | None:
    """Return the image that is to be put, for the lineage; ``None``: it has no name yet, or none that is known."""
    place = repository_reference(repository, registry_id)
    if place is None or not isinstance(request.source, ImageIdentifier):
        return None
    return replace(place, tag=request.source.tag, digest=digest or request.source.digest)


def _manifest_text(manifest: object) -> str:
    if isinstance(manifest, str):
        return manifest
    if isinstance(manifest, Mapping):
        # Sorted, because a dict that came through XCom comes back in the order of the metadata database.
        try:
            return json.dumps(manifest, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"image_manifest cannot be written as JSON: {error}. Give its text.") from error
    raise InvalidInputError(
        f"image_manifest is a {type(manifest).__name__}; give the text as it was stored, or a dict."
    )
