"""What the operators that put images under tags share: the tags, the guard, the line in the log, the events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ecr_provider.assets.events import check_outlets, emit_events, images_of
from ecr_provider.assets.lineage import ImageLineage, LineageMixin, repository_reference
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.ecr.put_plan import Guard, Outcome, PutPlan, TagMove
from ecr_provider.exceptions import InvalidInputError, PartialPutError
from ecr_provider.hooks.mixin import EcrHookMixin
from ecr_provider.links.ecr import EcrImageLink, EcrRepositoryLink
from ecr_provider.oci import Digest, ImageReference, check_tag
from ecr_provider.oci.quoting import quote
from ecr_provider.version_compat import triggering_user

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ecr_provider.ecr.report import ImageReport
    from ecr_provider.ecr.repository import EcrRepository

#: For ``expected_current_digest``: the tag must not exist yet.
ABSENT: Final = ""


class TaggingMixin(LineageMixin, EcrHookMixin):
    """Hold the tags of a task, and what guards them."""

    image_tag: str | None
    image_tags: Sequence[str] | None
    expected_current_digest: str | None
    emit_unchanged: bool
    outlets: list[Any]

    def check_tags(self) -> None:
        """Refuse what a DAG file can be wrong about.

        :raises InvalidInputError: there are two sources of tags, or a guard and nothing that it guards.
        """
        if self.image_tag is not None and self.image_tags is not None:
            raise InvalidInputError("Give image_tag or image_tags, not both.")
        if self.expected_current_digest is not None and not self.has_tags:
            raise InvalidInputError("expected_current_digest guards a tag: give image_tag or image_tags, too.")

    @property
    def has_tags(self) -> bool:
        """Whether there is a tag to put anything under."""
        return self.image_tag is not None or self.image_tags is not None

    def tags(self) -> tuple[str, ...]:
        """Return the tags.

        :raises InvalidInputError: one of them is none.
        """
        tag = self.parsed("image_tag", check_tag)
        return self.parsed("image_tags", _tag_list) or (() if tag is None else (tag,))

    def guard(self) -> Guard | None:
        """Return where the tags have to point, if that was said.

        :raises InvalidInputError: it is no digest.
        """
        return self.parsed("expected_current_digest", _guard)

    def may_be_blank(self, name: str, value: object) -> bool:
        """Tell whether a blank argument has a meaning of its own: ``ABSENT`` has."""
        return name == "expected_current_digest" and value == ABSENT

    def check_outlets(self, context: Context, repository: EcrRepository, registry_id: str | None) -> None:
        """Refuse an outlet that is another image than the task puts.

        :param registry_id: the AWS account id of the registry, as far as it is known.
        :raises InvalidInputError: there is one.
        :raises EcrCallError: the account had to be asked for, and ECR refused or failed that.
        """
        if references := list(images_of(context, self.outlets)):
            check_outlets(references, repository, registry_id or repository.find_registry_id(), self.tags())

    def note_attempt(self, source: ImageReference | None, repository: EcrRepository, registry_id: str | None) -> None:
        """Note for the lineage what the task sets out to do, as far as it is known by now.

        :param source: the image to put, if it is one that a registry has.
        :param registry_id: the AWS account id of the registry to put it in.
        """
        self.image_lineage = ImageLineage.of_attempt(source, repository_reference(repository, registry_id), self.tags())

    @contextmanager
    def attempting(
        self,
        source: ImageReference | None,
        repository: EcrRepository,
        registry_id: Callable[[], str | None],
        digest: Digest,
    ) -> Iterator[None]:
        """Note for the lineage what a failure leaves behind: which tags were put, and which were meant to be.

        :param registry_id: tells the account of the registry as far as it is known in the end.
        :param digest: the image.
        """
        put: tuple[str, ...] = ()
        try:
            yield
        except PartialPutError as error:
            put = error.put
            raise
        finally:
            self.note_attempt(source, repository, registry_id())
            self.image_lineage = self.image_lineage.with_put(digest, put)

    def tell_outlets(self, context: Context, repository: EcrRepository, report: ImageReport) -> None:
        """Have the outlets, and the lineage, tell what became of the tags."""
        self.image_lineage = self.image_lineage.with_report(report)
        host = EcrRegistry(report["registryId"], repository.region_name, repository.partition).host
        emit_events(context, self, report, host, emit_unchanged=self.emit_unchanged)


def link(context: Context, repository: EcrRepository, plan: PutPlan, registry_id: str | None) -> None:
    """Store the links to the repository and the image, once the account is known."""
    if registry_id is not None:
        EcrRepositoryLink().persist(context, repository, registry_id)
        EcrImageLink().persist(context, repository, registry_id, plan.manifest.digest)


def log_line(context: Context, repository: EcrRepository, plan: PutPlan, move: TagMove) -> str:
    """Say what became of a tag, and by whose request."""
    ti, user = context["ti"], triggering_user(context)
    where = f"{repository}:{move.tag}" if move.tag is not None else f"{repository} (no tag)"
    way = f"from {move.previous} to" if move.outcome is Outcome.MOVED else "at"
    return (
        f"{where} {move.outcome.value} {way} {plan.manifest.digest} "
        f"(requested by {ti.dag_id}.{ti.task_id}, {ti.run_id}{f', user {user}' if user else ''})"
    )


def _guard(expected: str) -> Guard:
    return Guard(None if expected == ABSENT else Digest.parse(expected))


def _tag_list(tags: object) -> tuple[str, ...]:
    # Of a mapped task, Airflow hands over a sequence of its own.
    if isinstance(tags, Sequence) and not isinstance(tags, str) and tags:
        return tuple(check_tag(tag) for tag in tags)
    raise InvalidInputError(f"{quote(tags)} is not a list of at least one tag.")
