"""The main job, shown on a local ECR; not part of the distribution."""
