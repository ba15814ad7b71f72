"""Copy an image from a shell: ``python -m ecr_provider.copying SRC DST``."""
