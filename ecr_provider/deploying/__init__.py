"""What it means to deploy an image on ECS and Lambda: on a boto client handed in, without Airflow."""
