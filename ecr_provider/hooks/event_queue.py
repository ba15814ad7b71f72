"""The SQS queue to which EventBridge sends the events of Amazon ECR."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from airflow.providers.amazon.aws.hooks.sqs import SqsHook

from ecr_provider.ecr.faults import translated
from ecr_provider.exceptions import EcrCallError, EcrProviderError
from ecr_provider.hooks.mixin import StrictHookMixin
from ecr_provider.oci.quoting import number_of

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

#: Messages in one ReceiveMessage, and in one DeleteMessageBatch.
#: Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
MAX_MESSAGES: Final = 10

#: How long one ReceiveMessage waits for a message, in seconds: SQS's longest. Source: as above.
WAIT_SECONDS: Final = 20


class Message(NamedTuple):
    """A message as it was received.

    :param message_id: SQS's name of it, for the log.
    :param receipt_handle: by which it is deleted.
    :param body: the text.
    """

    message_id: str
    receipt_handle: str
    body: str


class EcrEventQueueHook(StrictHookMixin, SqsHook):
    """Receive and delete the messages of a queue.

    :param aws_conn_id: the Airflow connection. ``None``: boto3's own credential chain.
    :param region_name: the AWS Region of the queue; by default that of the connection.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle.
    :param config: botocore's ``Config``, or a dictionary of its arguments.
    :raises InvalidInputError: ``config`` has a key that botocore does not know.
    """

    @cached_property
    def client(self) -> SQSClient:
        """The boto3 client.

        :raises ConnectionNotFoundError: the connection does not exist.
        :raises EcrCallError: the connection's settings make no client.
        """
        with translated("The connection", repr(self.aws_conn_id)):
            return cast("SQSClient", self.conn)

    def has_dead_letters(self, queue_url: str) -> bool:
        """Tell whether the queue puts aside what nobody could read, by GetQueueAttributes.

        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html

        :raises EcrCallError: the call failed.
        """
        with translated("GetQueueAttributes", queue_url):
            answer = self.client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
            return "RedrivePolicy" in answer.get("Attributes", {})

    def receive(self, queue_url: str) -> list[Message]:
        """Wait for messages and receive up to ten, by ReceiveMessage; they come again unless they are deleted.

        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html

        :raises EcrCallError: the call failed.
        """
        with translated("ReceiveMessage", queue_url):
            answer = self.client.receive_message(
                QueueUrl=queue_url, MaxNumberOfMessages=MAX_MESSAGES, WaitTimeSeconds=WAIT_SECONDS
            )
            received = answer.get("Messages", ())
            return [Message(each["MessageId"], each["ReceiptHandle"], each["Body"]) for each in received]

    def delete(self, queue_url: str, messages: Sequence[Message]) -> None:
        """Delete messages, by DeleteMessageBatch.

        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html

        :raises EcrCallError: the last call that failed, after all were made.
        :raises EcrProviderError: one of them was not deleted; it will come again.
        """
        refused: list[str] = []
        failure: EcrCallError | None = None
        for start in range(0, len(messages), MAX_MESSAGES):
            try:
                refused += self._delete_batch(queue_url, messages[start : start + MAX_MESSAGES])
            except EcrCallError as error:
                failure = error
        if failure:
            raise failure
        if refused:
            left, codes = number_of(len(refused), "message"), ", ".join(sorted(set(refused)))
            raise EcrProviderError(f"{left} of {queue_url} could not be deleted ({codes}), and will come again.")

    def _delete_batch(self, queue_url: str, messages: Sequence[Message]) -> list[str]:
        """Return the codes of those that were not deleted."""
        entries: list[Any] = [
            {"Id": str(number), "ReceiptHandle": message.receipt_handle} for number, message in enumerate(messages)
        ]
        with translated("DeleteMessageBatch", queue_url):
            answer = self.client.delete_message_batch(QueueUrl=queue_url, Entries=entries)
            return [each["Code"] for each in answer.get("Failed", ())]
