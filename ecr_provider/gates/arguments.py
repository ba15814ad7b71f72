"""What the arguments of several gates have in common."""

from __future__ import annotations

from collections.abc import Sequence

from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci.quoting import quote


def texts(name: str, given: object, example: str) -> tuple[str, ...]:
    """Return a list of text.

    :param name: of the argument, for the message.
    :param given: the argument, as a template made it.
    :param example: of a list, for the message.
    :raises InvalidInputError: it is none, or empty: an empty list would have nothing checked.
    """
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InvalidInputError(f"{name} is {quote(given)}; it has to be a list, such as {example}.")
    if not given:
        raise InvalidInputError(
            f"{name} is empty, so that nothing would be checked; name at least one, or leave it out."
        )
    for each in given:
        if not isinstance(each, str) or not each.strip():
            raise InvalidInputError(f"{name} has {quote(each)} in it; it has to be a list of text, such as {example}.")
    return tuple(given)


def whole_number(name: str, given: object) -> int:
    """Return a number, 0 or more.

    :param name: of the argument, for the message.
    :param given: the argument; a template makes text of a number.
    :raises InvalidInputError: it is no such number.
    """
    if isinstance(given, str) and given.isascii() and given.isdigit():
        return int(given)
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    raise InvalidInputError(f"{name} {quote(given)} is not a number, 0 or more.")
