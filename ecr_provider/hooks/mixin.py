"""What every operator and sensor of this package shares: the AWS arguments, the hook, and how a task fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ecr_provider.exceptions import ConnectionNotFoundError, EcrProviderError, InvalidInputError
from ecr_provider.version_compat import AirflowFailException, AirflowNotFoundException, connection_by

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from botocore.config import Config

    from ecr_provider.hooks.ecr import EcrImageHook

_T = TypeVar("_T")

#: The arguments below that Airflow renders; ``botocore_config`` is a mapping of objects and left alone.
AWS_TEMPLATE_FIELDS: Final = ("aws_conn_id", "region_name", "verify", "repository_name", "registry_id")


class AwsArgumentsMixin:
    """Hold the AWS arguments of a task or a trigger."""

    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    botocore_config: dict[str, Any] | None

    def aws_arguments(self) -> dict[str, Any]:
        """Return them by the names that they were given by."""
        return {
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
        }

    def hook_arguments(self) -> dict[str, Any]:
        """Return the arguments of the hook."""
        arguments = self.aws_arguments()
        arguments["config"] = arguments.pop("botocore_config")
        return arguments


class AwsTaskMixin(AwsArgumentsMixin):
    """Hold the AWS arguments of a task, and see what rendering made of all of them."""

    template_fields: Sequence[str]

    def remember_given(self) -> None:
        """Note which arguments the DAG gives, before Airflow renders them."""
        self._given = {name: value for name in self.template_fields if (value := getattr(self, name, None)) is not None}

    def check_rendered(self) -> None:
        """Refuse an argument that was given and that rendering made nothing of.

        Otherwise a template that finds nothing would silently drop a guard, a tag or the account.

        :raises InvalidInputError: an argument, or an item of it, became ``None``, the text ``'None'`` that Jinja makes
            of that, or blank.
        """
        for name, given in self._given.items():
            value = getattr(self, name)
            if any(_is_nothing(item) for item in _items(value, given)) and not self.may_be_blank(name, value):
                raise InvalidInputError(
                    f"{name} was given, but rendered to {value!r}: its template or upstream task found nothing. "
                    "Correct the template, or leave the argument out."
                )

    def may_be_blank(self, name: str, value: object) -> bool:
        """Tell whether a blank argument has a meaning of its own."""
        return False

    def parsed(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        """Return what an argument means, or ``None`` if it is not given.

        :raises InvalidInputError: the argument is not what it should be; the message names it.
        """
        value = getattr(self, name)
        if value is None:
            return None
        try:
            return parse(value)
        except InvalidInputError as error:
            raise type(error)(f"{name}: {error}") from error


class EcrHookMixin(AwsTaskMixin):
    """Hold the AWS arguments of a task and make the hook of them, on first use.

    The amazon provider's own base classes are for its internal use, and importing them imports boto3, which a DAG
    file need not pay for: the hook is imported when a task runs.
    """

    repository_name: str
    registry_id: str | None

    @cached_property
    def hook(self) -> EcrImageHook:
        """The hook on the connection."""
        from ecr_provider.hooks.ecr import EcrImageHook  # noqa: PLC0415 - imports boto3, see the class docstring

        return EcrImageHook(**self.hook_arguments())


class StrictHookMixin:
    """Have a hook of the amazon provider refuse what it would make do with.

    Of the connections that do not exist, only ``aws_default`` falls back to boto3's own credential chain, as it does
    everywhere in the amazon provider: any other name was meant to choose an account.
    """

    default_conn_name: str

    def __init__(
        self,
        aws_conn_id: str | None = "aws_default",
        *,
        region_name: str | None = None,
        verify: bool | str | None = None,
        config: Config | dict[str, Any] | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "config": config,
        }
        self.arguments = arguments
        try:
            super().__init__(**arguments)
        except TypeError as error:
            raise InvalidInputError(
                f"botocore_config: {error}. Its keys are the arguments of botocore's Config."
            ) from error

    def _get_caller(self, target_function_name: str = "execute") -> str:
        """Name the operator that calls, for the user agent.

        The amazon provider's own way reads the source of every frame up the stack, and so resolves the path of every
        module that is loaded: a tenth of a second of processor time in each task.
        """
        frame: FrameType | None = sys._getframe()  # noqa: SLF001 - what inspect.currentframe is
        while frame and not (frame.f_code.co_name == target_function_name and "self" in frame.f_locals):
            frame = frame.f_back
        return type(frame.f_locals["self"]).__name__ if frame else "Unknown"

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Return the Airflow connection.

        :raises ConnectionNotFoundError: it does not exist.
        """
        try:
            return connection_by(super().get_connection, conn_id)  # type: ignore[misc]  # of the hook
        except AirflowNotFoundException as error:
            if conn_id == cls.default_conn_name:
                raise
            raise ConnectionNotFoundError(
                f"The Airflow connection {conn_id!r} does not exist, and its account cannot be guessed: "
                "create it, or pass aws_conn_id=None to use the worker's own AWS credentials."
            ) from error


def _items(value: object, given: object) -> Iterable[object]:
    """Return the items of an argument that a template may have made nothing of."""
    if isinstance(value, Mapping):
        blank = {key for key, item in given.items() if _is_nothing(item)} if isinstance(given, Mapping) else set()
        return [item for key, item in value.items() if key not in blank]
    return value if isinstance(value, (list, tuple)) else [value]


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in ("", "None"))


@contextmanager
def failing_at_once() -> Iterator[None]:
    """Fail the task without retries for an error that no retry can mend; let Airflow retry the others."""
    try:
        yield
    except EcrProviderError as error:
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from error
