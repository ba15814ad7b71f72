"""A certificate for loopback that signs itself, made with ``openssl`` and thrown away."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, which is its own CA.

    :param path: of the certificate, in PEM, in a folder of its own, as skopeo wants it.
    :param key: the path of its key.
    """

    path: str
    key: str


def make_certificate(directory: Path) -> Certificate:
    """Make one in a new folder."""
    trusted = directory / "trusted"
    trusted.mkdir(parents=True)
    certificate = Certificate(str(trusted / "ca.crt"), str(directory / "private.pem"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"),
            *("-days", "1", "-subj", "/CN=benchmark", "-addext", "subjectAltName=IP:127.0.0.1,DNS:127.1"),
            *("-out", certificate.path, "-keyout", certificate.key),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return certificate
