"""The nightly run in Airflow (2.6 or newer, and 3): the day is that of the data interval, so a backfill runs each of its own days."""

from __future__ import annotations

import subprocess
from datetime import timedelta

import pendulum
from airflow.exceptions import AirflowException
from airflow.timetables.interval import CronDataIntervalTimetable

try:
    from airflow.sdk import dag, task
    from airflow.sdk.exceptions import AirflowFailException
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.exceptions import AirflowFailException

PIPELINE = "/etc/tessera/nightly.toml"
ZONE = "Europe/London"

# The same run again ends the same way: an internal error, or a mistake of the pipeline file.
NEVER_AGAIN = {1, 2}


@dag(
    dag_id="tessera_nightly",
    schedule=CronDataIntervalTimetable("30 3 * * *", timezone=ZONE),
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
)
def tessera_nightly():
    # Late data, a disk, another run, in doubt: the same run again is safe.
    @task(retries=12, retry_delay=timedelta(minutes=15), execution_timeout=timedelta(hours=6))
    def run(data_interval_start=None):
        as_of = data_interval_start.in_timezone(ZONE).to_date_string()
        command = ["tessera", "run", PIPELINE, "--as-of", as_of, "--log-format", "json", "--lineage", "/var/log/tessera/lineage.ndjson"]
        code = subprocess.run(command, check=False).returncode
        if code in NEVER_AGAIN:
            raise AirflowFailException(f"tessera ended with exit code {code}")
        if code != 0:
            raise AirflowException(f"tessera ended with exit code {code}; the next try may find what is missing")

    run()


tessera_nightly()
