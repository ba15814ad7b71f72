"""Deploy container images on AWS Lambda."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import Context

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.links.lambda_function import LambdaFunctionLink
from ecr_provider.oci.quoting import quote
from ecr_provider.operators.base import EcrDeployOperator

if TYPE_CHECKING:
    from ecr_provider.deploying.lambda_function import LambdaFunction
    from ecr_provider.deploying.lambda_update import LambdaUpdate

#: Source: https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html
ARCHITECTURES: Final = ("x86_64", "arm64")


class LambdaUpdateFunctionCodeOperator(EcrDeployOperator):
    """Give an AWS Lambda function another image, wait until it runs, and check that it is the image that runs.

    A function that has the image already is not updated again, but waited for. An update is refused by Lambda if the
    function was changed since it was looked at. Lambda takes the image of a single platform only, and no index.

    .. seealso::
        For how to use this operator, take a look at the guide: :ref:`howto/operator:LambdaUpdateFunctionCodeOperator`

    What else it takes is documented with :class:`~ecr_provider.operators.base.EcrDeployOperator`.

    :param function_name: the function, by name or ARN, without a version. (templated)
    :param image_uri: what has to run, as ``registry/repository@sha256:…``: the ``imageUri`` of an upstream task.
        (templated)
    :param architectures: ``["x86_64"]`` or ``["arm64"]``, if the function's has to be changed. (templated)
    :param publish: publish a version, once the image was checked: of exactly what was checked.

    Source: https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html
    """

    template_fields: Sequence[str] = (
        *EcrDeployOperator.template_fields,
        "function_name",
        "image_uri",
        "architectures",
    )
    operator_extra_links = (LambdaFunctionLink(),)

    def __init__(
        self,
        *,
        function_name: str,
        image_uri: str,
        architectures: Sequence[str] | None = None,
        publish: bool = False,
        waiter_delay: float = 5,
        **kwargs: Any,
    ) -> None:
        super().__init__(waiter_delay=waiter_delay, **kwargs)
        self.function_name = function_name
        self.image_uri = image_uri
        self.architectures = architectures
        self.publish = publish
        if publish and not self.wait_for_completion:
            raise InvalidInputError("publish goes with wait_for_completion: only what was checked is published.")
        self.remember_given()

    def begin(self, context: Context) -> LambdaUpdate:
        """Store the link, and begin the update, unless the function has the image already."""
        from ecr_provider.deploying.lambda_function import check_function_name  # noqa: PLC0415 - imports botocore
        from ecr_provider.deploying.lambda_update import LambdaRequest, begin  # noqa: PLC0415 - as above
        from ecr_provider.deploying.pinned import pinned  # noqa: PLC0415 - as above

        image = self.parsed("image_uri", pinned)
        if image is None:
            raise InvalidInputError("image_uri is missing: give registry/repository@sha256:…")
        self.parsed("function_name", check_function_name)
        request = LambdaRequest(image, self.parsed("architectures", _architectures) or (), self.publish)
        function = self.door()
        LambdaFunctionLink().persist(context, function)
        return begin(function, request)

    def door(self) -> LambdaFunction:
        """Return the function."""
        return self._function

    @cached_property
    def _function(self) -> LambdaFunction:
        from ecr_provider.hooks.lambda_function import LambdaFunctionHook  # noqa: PLC0415 - imports boto3

        return LambdaFunctionHook(**self.hook_arguments()).function(self.function_name)


def _architectures(given: object) -> tuple[str, ...]:
    if isinstance(given, Sequence) and len(given) == 1 and given[0] in ARCHITECTURES:
        return tuple(given)
    raise InvalidInputError(f"{quote(given)} is not what Lambda takes: ['x86_64'] or ['arm64'].")
