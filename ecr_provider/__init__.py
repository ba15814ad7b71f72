"""Release container images on Amazon ECR from Apache Airflow."""

__version__ = "0.1.0"
