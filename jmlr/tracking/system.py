"""CPU, memory, disk, network and GPU while a run goes on, as MLflow's own system metrics (`system/...`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    from jmlr.tracking.reference import RunReference


def watch(reference: RunReference) -> SystemMetricsMonitor:
    """Starts to measure every ten seconds; `finish()` ends it. A store that fails costs metrics, not the run.

    MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL sets another interval, in seconds.
    """
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    logging.getLogger("mlflow.system_metrics.system_metrics_monitor").setLevel(logging.WARNING)
    monitor = SystemMetricsMonitor(reference.run_id, resume_logging=True, tracking_uri=reference.tracking_uri)
    monitor.start()
    return monitor
