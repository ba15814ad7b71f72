"""The OCI image model: values and pure functions, on the standard library alone.

``ecr_provider.oci.selection``, which orders versions, stands beside it and takes a library for that.

Every value is frozen. Text becomes a value by ``parse``, which checks it, and text again by ``str``. Media types
are plain strings, named in ``ecr_provider.oci.media_types``.
"""

from __future__ import annotations

from ecr_provider.oci.descriptor import Descriptor, Platform, Referrer
from ecr_provider.oci.digest import Digest
from ecr_provider.oci.manifest import ImageIndex, ImageManifest, Manifest, parse_manifest
from ecr_provider.oci.narrowing import narrowed
from ecr_provider.oci.reference import ImageReference, check_repository_name, check_tag

__all__ = [
    "Descriptor",
    "Digest",
    "ImageIndex",
    "ImageManifest",
    "ImageReference",
    "Manifest",
    "Platform",
    "Referrer",
    "check_repository_name",
    "check_tag",
    "narrowed",
    "parse_manifest",
]
