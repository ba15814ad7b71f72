"""Gates: what a release has to pass, each looked at until it says yes or no. No Airflow in it."""
