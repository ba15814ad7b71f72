"""One Lambda function, on a boto client handed in: its image, and the calls that change and publish it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from ecr_provider.ecr.faults import translated
from ecr_provider.exceptions import DeploymentRefusedError, InvalidInputError, InvalidRequestError
from ecr_provider.oci.quoting import quote

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import GetFunctionResponseTypeDef

#: What Lambda says of an image that it takes none of: an index, above all.
#: Source: https://github.com/boto/boto3/issues/3255 and https://github.com/aws/aws-lambda-roadmap/issues/82
_NO_SUCH_MANIFEST: Final = "media type"


@dataclass(frozen=True, slots=True)
class FunctionState:
    """A function, or a version of it, as GetFunction answers it.

    Source: https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html

    :param image_uri: the image that it was given.
    :param resolved_image_uri: what that was, by digest.
    :param state: ``Pending``, ``Active``, ``Inactive`` or ``Failed``.
    :param last_update_status: ``InProgress``, ``Successful`` or ``Failed``.
    :param reason: why it failed, in Lambda's words.
    :param revision_id: another one for each change.
    """

    arn: str
    package_type: str
    image_uri: str | None
    resolved_image_uri: str | None
    architectures: tuple[str, ...]
    state: str
    last_update_status: str
    reason: str
    revision_id: str
    code_sha256: str

    @classmethod
    def from_api(cls, answer: GetFunctionResponseTypeDef) -> Self:
        """Read the form that boto3 answers."""
        about, code = answer["Configuration"], answer.get("Code", {})
        reasons = (about.get("LastUpdateStatusReasonCode"), about.get("LastUpdateStatusReason"))
        return cls(
            arn=about["FunctionArn"],
            package_type=about.get("PackageType", "Zip"),
            image_uri=code.get("ImageUri"),
            resolved_image_uri=code.get("ResolvedImageUri"),
            architectures=tuple(about.get("Architectures", ())),
            state=about.get("State", ""),
            last_update_status=about.get("LastUpdateStatus", ""),
            reason=": ".join(filter(None, (*reasons, about.get("StateReason")))) or "Lambda gives no reason",
            revision_id=about["RevisionId"],
            code_sha256=about.get("CodeSha256", ""),
        )


def check_function_name(name: str) -> str:
    """Return the name of a function unchanged, if it is that of a function and not of a version of it.

    :param name: a name, ``account:function:name``, or an ARN.
    :raises InvalidInputError: it names a version or an alias, whose image cannot be changed.
    """
    if len(name.split(":")) in ((7,) if name.startswith("arn:") else (1, 3)):
        return name
    raise InvalidInputError(
        f"{quote(name)} names a version or an alias of a function, and only the function itself can be given another "
        "image: leave that part out."
    )


class LambdaFunction:
    """One Lambda function.

    :param client: the boto3 client, whose Region counts.
    :param function_name: the function, by name or ARN, without a version.
    """

    def __init__(self, client: LambdaClient, function_name: str) -> None:
        self.client = client
        self.function_name = function_name

    def __str__(self) -> str:
        return self.function_name.rpartition(":")[2]

    def describe(self, version: str | None = None) -> FunctionState:
        """Return what the function is, by GetFunction.

        :param version: of a published version of it.
        :raises EcrCallError: there is none, or the call failed.
        """
        qualifier: Any = {} if version is None else {"Qualifier": version}
        with translated("GetFunction", str(self)):
            return FunctionState.from_api(self.client.get_function(FunctionName=self.function_name, **qualifier))

    def update(self, image_uri: str, revision_id: str, architectures: Sequence[str] = ()) -> None:
        """Give the function another image, by UpdateFunctionCode, unless it has changed since.

        Source: https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html

        :param revision_id: of the function as it was looked at.
        :param architectures: ``x86_64`` or ``arm64``; by default left as it is.
        :raises DeploymentRefusedError: Lambda takes no such image.
        :raises ConflictError: the function has changed, or another update is on its way.
        :raises EcrCallError: the call failed otherwise.
        """
        further: Any = {"Architectures": list(architectures)} if architectures else {}
        try:
            with translated("UpdateFunctionCode", f"{self} to {image_uri}"):
                self.client.update_function_code(
                    FunctionName=self.function_name, ImageUri=image_uri, RevisionId=revision_id, **further
                )
        except InvalidRequestError as error:
            if _NO_SUCH_MANIFEST not in str(error):
                raise
            raise DeploymentRefusedError(_no_index(image_uri, error)) from error

    def publish(self, revision_id: str) -> str:
        """Publish a version, by PublishVersion, and return its number; that of before, if nothing has changed since.

        Source: https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html

        :param revision_id: of the function as it was checked.
        :raises ConflictError: the function has changed since.
        :raises EcrCallError: the call failed.
        """
        with translated("PublishVersion", str(self)):
            answer = self.client.publish_version(FunctionName=self.function_name, RevisionId=revision_id)
            return answer["Version"]


def _no_index(image_uri: str, error: InvalidRequestError) -> str:
    return (
        f"Lambda does not take {image_uri}. It takes the image of a single platform, and no image index "
        "(https://docs.aws.amazon.com/lambda/latest/dg/images-create.html); BuildKit makes an index for one platform, "
        "too, unless it is told --provenance=false --sbom=false. Build it so, or deploy the digest of the platform's "
        f"own manifest, which the index names. Nothing was changed. Lambda said: {error}"
    )
