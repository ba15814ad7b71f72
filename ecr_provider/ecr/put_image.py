"""Put an image under tags: look once, decide, then write what has to move and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.put_plan import (
    Guard,
    Outcome,
    Pointee,
    PutPlan,
    PutRequest,
    TagMove,
    decide,
    text_or_none,
    whereabouts,
)
from ecr_provider.ecr.repository import EcrRepository, Image
from ecr_provider.exceptions import (
    DigestMismatchError,
    EcrCallError,
    EcrProviderError,
    ImageAlreadyExistsError,
    ImageInaccessibleError,
    ImageNotFoundError,
    LayersNotFoundError,
    LostRaceError,
    PartialPutError,
    TagImmutableError,
    ThrottledError,
)
from ecr_provider.oci import Digest, Manifest

#: Right after a push, PutImage may not see a layer for some hundred milliseconds; these further tries span three
#: seconds.
_LAYER_TRIES: Final = 5
_LAYER_FIRST_WAIT: Final = 0.2

#: How long a task waits, in all and in seconds, for a turn at a quota that other tasks use up, for each tag. At ten
#: calls a second that is a queue of some hundred tasks.
PATIENCE_WITH_QUOTA: Final = 120.0
#: How long it waits each time, in seconds: at random in between. A quota comes back within a second, so whoever waited
#: much longer, as an exponential wait does, would come when nobody needs it any more.
_SHORTEST_TURN: Final = 1.0
_LONGEST_TURN: Final = 3.0

_LOG: Final = logging.getLogger(__name__)


def plan_put(repository: EcrRepository, request: PutRequest) -> PutPlan:
    """Look at the source and at every target, in one BatchGetImage, and decide.

    :raises DigestMismatchError: the image does not have the digest that the request demands.
    :raises PreconditionFailedError: a tag does not point where the guard says.
    :raises EcrCallError: the source cannot be read, or what a tag points at cannot be known.
    """
    targets = _targets(request)
    if isinstance(request.source, ImageIdentifier):
        reading = repository.read([request.source, *targets.values()])
        manifest = _found_manifest(repository, reading[request.source])
        _demand(request.digest, manifest)
    else:
        manifest = request.source
        _demand(request.digest, manifest)
        reading = repository.read(targets.values())
    current = {tag: pointee(repository, it, reading[it], request.guard) for tag, it in targets.items()}
    answered = [
        each.registry_id for each in (*reading.values(), *current.values()) if isinstance(each, (Image, Pointee))
    ]
    registry_id = next(filter(None, answered), None)
    return PutPlan(manifest, decide(manifest.digest, current, request.guard), request.guard, registry_id)


def _targets(request: PutRequest) -> dict[str | None, ImageIdentifier]:
    if request.tags:
        return {tag: ImageIdentifier(tag=tag) for tag in request.tags}
    if isinstance(request.source, ImageIdentifier):
        return {None: request.source}
    return {None: ImageIdentifier(request.source.digest)}


def _found_manifest(repository: EcrRepository, result: Image | EcrCallError) -> Manifest:
    if isinstance(result, EcrCallError):
        raise result
    return repository.manifest_of(result)


def _demand(digest: Digest | None, manifest: Manifest) -> None:
    if digest not in (None, manifest.digest):
        raise DigestMismatchError(
            f"The manifest's digest is {manifest.digest}, but image_digest says {digest}; nothing was put. "
            "A changed byte, such as a newline at the end, makes another image: take the manifest as it was stored.",
            expected=str(digest),
            actual=str(manifest.digest),
        )


def pointee(
    repository: EcrRepository, target: ImageIdentifier, result: Image | EcrCallError, guard: Guard | None
) -> Pointee | None:
    """Return what a target points at, asking again where BatchGetImage leaves it open.

    An archived image cannot be read, but its tag is taken: only DescribeImages tells by which digest.

    :param target: a tag, or a digest.
    :param result: what BatchGetImage said of it.
    :param guard: where it has to point.
    :raises EcrCallError: what it points at cannot be known.
    """
    if isinstance(result, Image):
        return Pointee(result.digest, registry_id=result.registry_id)
    if isinstance(result, ImageInaccessibleError):
        return _described(repository, target)
    if not isinstance(result, ImageNotFoundError):
        raise result
    # Whether ECR calls an archived image "not found" here is not documented; a guard must not depend on it.
    try:
        return _described(repository, target) if guard == Guard(None) else None
    except ImageNotFoundError:
        return None


def _described(repository: EcrRepository, target: ImageIdentifier) -> Pointee:
    detail = repository.describe_image(target)
    return Pointee(detail.digest, detail.is_active, detail.registry_id)


def carry_out(
    repository: EcrRepository,
    plan: PutPlan,
    *,
    patience: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[PutPlan, str]:
    """Put the manifest under every tag that has to move, one PutImage each, and stop at the first failure.

    :param patience: how long to wait for a turn, where ECR throttles, in all and in seconds, for each tag.
    :param sleep: how to wait between tries, in seconds.
    :return: the plan as it was carried out: where a tag pointed may have changed during a wait; and the registry id.
    :raises PartialPutError: a tag failed after others were put.
    :raises PreconditionFailedError: a guarded tag was moved elsewhere during a wait.
    :raises LostRaceError: a guarded tag was put and then points elsewhere.
    :raises ThrottledError: no turn came in time.
    :raises EcrCallError: ECR refused or failed the call.
    """
    registry_id, moves = plan.registry_id, list(plan.moves)
    for position, move in enumerate(plan.moves):
        if move.outcome is Outcome.UNCHANGED:
            continue
        try:
            moves[position], registry_id = _put_in_turn(repository, plan, move, patience, sleep)
            if plan.guard:
                _check_still_ours(repository, plan.manifest.digest, move)
        except EcrProviderError as error:
            if len(plan.moves) == 1:
                raise
            raise _partial(repository, plan, position, error) from error
    if registry_id is None:
        raise AssertionError("a plan without a known image has something to put")
    return replace(plan, moves=tuple(moves)), registry_id


def _put_in_turn(
    repository: EcrRepository, plan: PutPlan, move: TagMove, patience: float, sleep: Callable[[float], None]
) -> tuple[TagMove, str]:
    """Put a tag; where ECR throttles, wait, and look again before each further try."""
    for turn in _turns(patience, sleep):
        with turn:
            if turn.retry_state.attempt_number > 1:
                move = _looked_at_again(repository, plan, move)
            return move, _put(repository, plan, move, sleep)
    raise AssertionError("the last turn raises what it met")


def _turns(patience: float, sleep: Callable[[float], None]) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(ThrottledError),
        stop=lambda state: state.idle_for >= patience,
        wait=wait_random(_SHORTEST_TURN, _LONGEST_TURN),
        sleep=sleep,
        before_sleep=_say_that_it_waits,
        reraise=True,
    )


def _say_that_it_waits(state: RetryCallState) -> None:
    _LOG.info("ECR has no turn for this put yet (%s). Next try in %.1f s.", _why(state), state.upcoming_sleep)


def _why(state: RetryCallState) -> object:
    error = state.outcome.exception() if state.outcome else None
    return getattr(error, "code", error)


def _looked_at_again(repository: EcrRepository, plan: PutPlan, move: TagMove) -> TagMove:
    """Decide again about a tag, which somebody else may have moved in the meantime.

    :raises PreconditionFailedError: it is guarded, and was moved elsewhere.
    """
    if move.tag is None:
        return move
    target = ImageIdentifier(tag=move.tag)
    at = pointee(repository, target, repository.read([target])[target], plan.guard)
    (again,) = decide(plan.manifest.digest, {move.tag: at}, plan.guard)
    # What points at the image by now was most likely put by a try of this one, whose answer was lost.
    return move if again.outcome is Outcome.UNCHANGED else again


def _put(repository: EcrRepository, plan: PutPlan, move: TagMove, sleep: Callable[[float], None]) -> str:
    try:
        try:
            return repository.put_image(plan.manifest, move.tag)
        except LayersNotFoundError:
            return _until_layers_appear(sleep)(_put_again, repository, plan, move)
    except EcrCallError as error:
        if error.retryable or isinstance(error, (ImageAlreadyExistsError, TagImmutableError)):
            return _settled(repository, plan.manifest, move.tag, error)
        raise


def _put_again(repository: EcrRepository, plan: PutPlan, move: TagMove) -> str:
    """Put after a wait, in which somebody else may have moved a guarded tag."""
    if plan.guard:
        _looked_at_again(repository, plan, move)
    return repository.put_image(plan.manifest, move.tag)


def _until_layers_appear(sleep: Callable[[float], None]) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(LayersNotFoundError),
        stop=stop_after_attempt(_LAYER_TRIES),
        wait=wait_exponential(_LAYER_FIRST_WAIT) + wait_random(0, _LAYER_FIRST_WAIT),
        sleep=sleep,
        reraise=True,
    )


def _settled(repository: EcrRepository, manifest: Manifest, tag: str | None, error: EcrCallError) -> str:
    """Decide by what the registry holds now whether a failed PutImage was applied all the same.

    A write whose answer was lost is repeated by the SDK, which then sees its own work refused as already there;
    and ECR words "this very image has this tag" in two ways. Equal digests are success either way.
    """
    target = ImageIdentifier(tag=tag) if tag is not None else ImageIdentifier(manifest.digest)
    try:
        there = repository.get_image(target)
    except EcrCallError as unreadable:
        raise error from unreadable
    if there.digest == manifest.digest:
        return there.registry_id
    raise type(error)(
        f"{error} The tag points at {there.digest}; the image to put is {manifest.digest}.",
        operation=error.operation,
        code=error.code,
        request_id=error.request_id,
    ) from error


def _check_still_ours(repository: EcrRepository, digest: Digest, move: TagMove) -> None:
    tag = str(move.tag)
    try:
        actual: Digest | None = repository.get_image(ImageIdentifier(tag=tag)).digest
    except ImageNotFoundError:
        actual = None
    if actual != digest:
        raise LostRaceError(
            f"Tag {tag!r} was put on {digest}, and right after that it {whereabouts(actual)}: another writer "
            "came in between. Find out who else moves this tag; nothing was undone.",
            image_tag=tag,
            expected=str(digest),
            actual=text_or_none(actual),
        )


def _partial(repository: EcrRepository, plan: PutPlan, position: int, error: EcrProviderError) -> PartialPutError:
    tags = tuple(str(move.tag) for move in plan.moves)
    put, failed, not_tried = tags[:position], tags[position], tags[position + 1 :]
    return PartialPutError(
        f"Of the tags of {repository}@{plan.manifest.digest}, done: {', '.join(put) or 'none'}; failed: {failed}; "
        f"not tried: {', '.join(not_tried) or 'none'}. Another run leaves those that are done as they are "
        f"and goes on with the others. The failure: {error}",
        put=put,
        failed=failed,
        not_tried=not_tried,
        retryable=error.retryable,
    )
