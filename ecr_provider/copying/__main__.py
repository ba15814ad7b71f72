"""Copy an image from a shell: ``python -m ecr_provider.copying SRC DST``.

Registries of ECR are known by their names, and reached with boto3's credentials; for all others there are those that
``docker login`` left. Registries on loopback speak plain HTTP.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ecr_provider.copying.choice import choose_image
from ecr_provider.copying.engine import MAX_WORKERS, copy_image
from ecr_provider.copying.progress import Lines, Progress, Watcher
from ecr_provider.copying.registries import RegistryImages
from ecr_provider.copying.report import CopyResult
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.ecr.put_plan import Guard
from ecr_provider.exceptions import EcrProviderError, InvalidInputError
from ecr_provider.oci import Digest, ImageReference, Platform, check_tag
from ecr_provider.patience import Patience
from ecr_provider.registry.docker_config import stored_credentials

if TYPE_CHECKING:
    from types import FrameType

    from mypy_boto3_ecr import ECRClient

    from ecr_provider.copying.ecr import EcrImages

_ABSENT: Final = "absent"
_INTERRUPTED: Final = 130  # as shells have it
_BAR: Final = 30  # characters


def main(arguments: list[str] | None = None) -> int:
    """Copy, and return the exit status: 0 if the image is there now, 1 if not, 2 for wrong arguments."""
    options = _parser().parse_args(arguments)
    watcher = _watcher(options)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        result = _copy(options, watcher)
    except EcrProviderError as error:
        return _failed(watcher, f"error: {error}", 2 if isinstance(error, InvalidInputError) else 1)
    except KeyboardInterrupt:
        _failed(watcher, "error: stopped; another run goes on from here", _INTERRUPTED)
        os._exit(_INTERRUPTED)  # a thread may still wait for an answer; Python would wait for the thread
    target: ImageReference = options.target.with_digest(result.digest)
    print(json.dumps({"image": str(target), **result.report()}) if options.json else target)  # noqa: T201 - the answer
    return 0


@dataclass(frozen=True, slots=True)
class _Side:
    """One end of the copy, as it was named."""

    reference: ImageReference
    profile: str | None
    verify: str | None
    guard: Guard | None = None


def _copy(options: argparse.Namespace, watcher: Watcher) -> CopyResult:
    patience = Patience(options.timeout)
    source = _images(_Side(options.source, options.source_profile, options.verify), patience)
    target = _images(_Side(options.target, options.profile, options.verify, options.expect), patience)
    tag, digest = options.source.tag, options.source.digest
    return copy_image(
        source,
        target,
        choose_image(source, tag, digest, platforms=options.platform, watcher=watcher),
        tuple(dict.fromkeys([*filter(None, [options.target.tag]), *options.tag])),
        include_referrers=options.referrers,
        max_workers=options.workers,
        patience=patience,
        watcher=watcher,
    )


def _images(side: _Side, patience: Patience) -> EcrImages | RegistryImages:
    named = side.reference
    if registry := EcrRegistry.of_host(named.registry):
        return _of_ecr(side, registry, patience)
    if side.guard is not None:
        raise InvalidInputError(f"--expect needs a target in ECR, and {named} is elsewhere; leave it out.")
    credentials = stored_credentials(named.registry)
    return RegistryImages.at(named.registry, named.repository, patience, credentials, verify=side.verify)


def _of_ecr(side: _Side, registry: EcrRegistry, patience: Patience) -> EcrImages:
    # boto3 takes longer to import than a small copy between other registries takes.
    import boto3  # noqa: PLC0415

    from ecr_provider.copying.ecr import EcrImages  # noqa: PLC0415
    from ecr_provider.ecr.faults import translated  # noqa: PLC0415
    from ecr_provider.ecr.repository import EcrRepository  # noqa: PLC0415

    with translated("The AWS profile", str(side.profile or "default")):
        session = boto3.Session(profile_name=side.profile)
        client: ECRClient = session.client("ecr", registry.region_name, verify=side.verify)
    repository = EcrRepository(client, side.reference.repository, registry.account_id)
    return EcrImages(repository, patience, guard=side.guard, verify=side.verify)


# --- What one writes and reads ---------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ecr_provider.copying",
        description="Copy an image between registries: byte for byte, verified, with its signatures, the tag last.",
    )
    parser.add_argument("source", metavar="SRC", type=_read(_source), help="registry/repository:tag, or @digest")
    parser.add_argument("target", metavar="DST", type=_read(_target), help="registry/repository:tag; no tag: by digest")
    parser.add_argument("--tag", action="append", default=[], type=_read(check_tag), help="another tag; repeatable")
    parser.add_argument(
        "--expect",
        metavar="DIGEST",
        type=_read(_guard),
        help=f"move the tag only if it points at this digest now; '{_ABSENT}': only if it does not exist",
    )
    parser.add_argument(
        "--platform",
        action="append",
        default=[],
        type=_read(Platform.parse),
        help="keep of an index what is for os/architecture; that is another image, with another digest; repeatable",
    )
    parser.add_argument(
        "--no-referrers", dest="referrers", action="store_false", help="leave signatures, SBOMs and the like behind"
    )
    parser.add_argument("--workers", type=int, default=MAX_WORKERS, help=f"blobs at once, by default {MAX_WORKERS}")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="how long all of it may take")
    parser.add_argument("--source-profile", metavar="NAME", help="the AWS profile for SRC")
    parser.add_argument("--profile", metavar="NAME", help="the AWS profile for DST")
    parser.add_argument("--verify", metavar="FILE", help="the CA bundle to verify TLS certificates by")
    parser.add_argument("--quiet", action="store_true", help="say nothing but the result")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON, not only the image")
    return parser


def _read(parse: Any) -> Any:
    """Have argparse say what is wrong with an argument in our words."""

    def read(text: str) -> Any:
        try:
            return parse(text)
        except InvalidInputError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


def _source(text: str) -> ImageReference:
    reference = ImageReference.parse(text)
    if reference.tag is None and reference.digest is None:
        raise InvalidInputError(f"{text!r} names no image: write {text}:tag or {text}@sha256:…; no tag is assumed")
    return reference


def _target(text: str) -> ImageReference:
    reference = ImageReference.parse(text)
    if reference.digest is not None:
        raise InvalidInputError(
            f"{text!r} has a digest, which is the source's to say; write {reference.registry}/…:tag"
        )
    return reference


def _guard(text: str) -> Guard:
    return Guard(None if text == _ABSENT else Digest.parse(text))


def _watcher(options: argparse.Namespace) -> Watcher:
    if options.quiet:
        return Lines(lambda _: None)
    return Bar() if sys.stderr.isatty() else Lines(lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201


class Bar:
    """A bar on a terminal, and above it what is done."""

    every = 0.2

    def say(self, line: str) -> None:
        """Write a line in the bar's place."""
        sys.stderr.write(f"\r\x1b[K{line}\n")

    def look(self, progress: Progress) -> None:
        """Draw the bar anew."""
        full = _BAR * progress.done // progress.total
        sys.stderr.write(f"\r\x1b[K[{'#' * full}{'.' * (_BAR - full)}] {progress}")
        sys.stderr.flush()


def _failed(watcher: Watcher, message: str, status: int) -> int:
    if isinstance(watcher, Bar):
        sys.stderr.write("\r\x1b[K")
    sys.stderr.write(f"{message}\n")
    return status


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
