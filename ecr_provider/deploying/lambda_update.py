"""Give a Lambda function another image: what to do, how far it is, and whether it is the image that runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ecr_provider.deploying.lambda_function import FunctionState, LambdaFunction
from ecr_provider.deploying.pinned import digest_in, pinned
from ecr_provider.deploying.rollout import Rollout
from ecr_provider.exceptions import DeploymentRefusedError
from ecr_provider.gates.gate import Look, Verdict
from ecr_provider.oci import ImageReference
from ecr_provider.patience import Patience


@dataclass(frozen=True, slots=True)
class LambdaRequest:
    """What is asked for.

    :param image: what has to run, pinned by digest.
    :param architectures: ``x86_64`` or ``arm64``; by default left as it is.
    :param publish: publish a version once it runs.
    """

    image: ImageReference
    architectures: tuple[str, ...] = ()
    publish: bool = False


def decide(state: FunctionState, request: LambdaRequest) -> bool:
    """Tell whether the function has to be updated: decided without I/O.

    :raises DeploymentRefusedError: it is a function of no image.
    """
    if state.package_type != "Image":
        raise DeploymentRefusedError(
            f"The Lambda function {state.arn} is of the package type {state.package_type}, which cannot be changed to "
            "Image: create a function from an image, or correct function_name."
        )
    is_there = str(request.image) in (state.image_uri, state.resolved_image_uri)
    fits = request.architectures in ((), state.architectures)
    return not (is_there and fits and state.last_update_status != "Failed")


def begin(function: LambdaFunction, request: LambdaRequest) -> LambdaUpdate:
    """Look, decide, and update the function unless it has the image already.

    :raises DeploymentRefusedError: it cannot take the image; nothing was changed.
    :raises ConflictError: it was changed meanwhile, or another update is on its way; nothing was changed.
    :raises EcrCallError: a call failed.
    """
    state = function.describe()
    has_to = decide(state, request)
    if has_to:
        function.update(str(request.image), state.revision_id, request.architectures)
    return LambdaUpdate(
        function_name=function.function_name,
        function_arn=state.arn,
        image=str(request.image),
        architectures=request.architectures,
        previous=state.resolved_image_uri or state.image_uri if has_to else None,
        previous_architectures=state.architectures if request.architectures else (),
        publish=request.publish,
        version=None,
        outcome="deployed" if has_to else "unchanged",
        earlier=state.revision_id if has_to else None,
    )


@dataclass(frozen=True, kw_only=True)
class LambdaUpdate(Rollout[LambdaFunction]):
    """An update of a Lambda function.

    :param function_name: the function, as it was given.
    :param function_arn: the function's ARN.
    :param image: what has to run.
    :param architectures: those that were asked for.
    :param previous: the image of before, by digest.
    :param previous_architectures: those of before, if others were asked for.
    :param publish: whether a version is to be published.
    :param version: the version that was published.
    :param outcome: ``deployed``, or ``unchanged`` if the function had it already.
    :param earlier: the revision that was updated.
    """

    kind: ClassVar[str] = "lambda"
    function_name: str
    function_arn: str
    image: str
    architectures: tuple[str, ...]
    previous: str | None
    previous_architectures: tuple[str, ...]
    publish: bool
    version: str | None
    outcome: str
    earlier: str | None

    def __str__(self) -> str:
        name = self.function_arn.rpartition(":")[2]
        version = "" if self.version is None else f", version {self.version}"
        return f"{name}{version}: the update to {self.image}"

    def look(self, door: LambdaFunction) -> Look:
        """Look once: one GetFunction.

        :raises EcrCallError: the call failed.
        """
        return progress(self, door.describe(self.version))

    def further(self, door: LambdaFunction, look: Look) -> LambdaUpdate | None:
        """Publish what was just checked, and nothing that came after, if that is asked for.

        :raises ConflictError: the function has changed since.
        :raises EcrCallError: the call failed.
        """
        if not self.publish or self.version is not None or self.failure is not None or look.report is None:
            return None
        return replace(self, version=door.publish(look.report["revisionId"]))

    def facts(self) -> dict[str, Any]:
        """Return what is known without a look, in Lambda's own names, but for the first letter."""
        return {
            "functionName": self.function_arn.rpartition(":")[2],
            "functionArn": self.function_arn,
            "imageUri": self.image,
            "previousImageUri": self.previous,
            "version": self.version,
            "outcome": self.outcome,
            "resolvedImageUri": None,
            "architectures": list(self.architectures),
            "lastUpdateStatus": None,
            "revisionId": None,
            "codeSha256": None,
            "rollback": None,
        }

    def way_back(self, door: LambdaFunction) -> LambdaUpdate:
        """Give the function the image of before, unless it has it still.

        :raises DeploymentRefusedError: there is nothing to go back to, or somebody else has changed the function.
        :raises EcrCallError: a call failed, again and again.
        """
        return Patience().call(lambda: self._go_back(door))

    def _go_back(self, door: LambdaFunction) -> LambdaUpdate:
        state = door.describe()
        previous = decide_back(self, state)
        has_to = (
            str(previous) not in (state.image_uri, state.resolved_image_uri) or state.last_update_status == "Failed"
        )
        if has_to:
            door.update(str(previous), state.revision_id, self.previous_architectures)
        return replace(
            self,
            image=str(previous),
            architectures=self.previous_architectures,
            previous=None,
            publish=False,
            version=None,
            earlier=state.revision_id if has_to else None,
        )

    def as_rollback(self) -> dict[str, Any]:
        """Return what is known of a way back, in Lambda's own names, but for the first letter."""
        return {"imageUri": self.image}


def progress(update: LambdaUpdate, state: FunctionState) -> Look:
    """Tell how far an update is, and whether it is the image that runs: decided without I/O."""
    seen = {
        "resolvedImageUri": state.resolved_image_uri,
        "architectures": list(state.architectures),
        "lastUpdateStatus": state.last_update_status,
        "revisionId": state.revision_id,
        "codeSha256": state.code_sha256,
    }
    # Lambda's answers may lag behind its own: every update makes another revision, so that one is of before.
    if state.revision_id == update.earlier:
        return Look(Verdict.WAITING, "is not to be seen yet", seen)
    status = state.last_update_status if update.version is None else state.state
    if status == "Failed":
        return Look(Verdict.FAILED, f"failed, and Lambda goes on with the code of before: {state.reason}", seen)
    # Lambda looks after a function that nobody calls no more; it is built again by the next call.
    if status not in ("Successful", "Active", "Inactive"):
        return Look(Verdict.WAITING, f"is under way: {status or 'no status yet'}", seen)
    if faults := _faults(update, state):
        return Look(Verdict.FAILED, f"is not what the function has: {'; '.join(faults)}", seen)
    return Look(Verdict.PASSED, f"is done; the function runs {state.resolved_image_uri or state.image_uri}", seen)


def _faults(update: LambdaUpdate, state: FunctionState) -> list[str]:
    """Return what contradicts that a function runs the image: each reference to a digest has to be to that one."""
    digests = {digest_in(state.image_uri), digest_in(state.resolved_image_uri)} - {None}
    faults = []
    if digests != {digest_in(update.image)}:
        faults.append(f"its image is {state.image_uri}, resolved to {state.resolved_image_uri}")
    if update.architectures not in ((), state.architectures):
        faults.append(f"its architectures are {', '.join(state.architectures)}")
    return faults


def decide_back(update: LambdaUpdate, state: FunctionState) -> ImageReference:
    """Return the image to go back to: decided without I/O.

    :raises DeploymentRefusedError: there is none, or somebody else has changed the function.
    """
    if update.previous is None:
        raise DeploymentRefusedError("the function had this image already, so there is none known to go back to.")
    known = (update.image, update.previous)
    if state.image_uri not in known and state.resolved_image_uri not in known:
        raise DeploymentRefusedError(f"it is somebody else's by now, with {state.image_uri}, and was left alone.")
    return pinned(update.previous)
