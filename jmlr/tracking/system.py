"""CPU, memory, disk, network and GPU while a run goes on, as MLflow's own system metrics (`system/...`)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

_INTERVAL_SECONDS = 10.0


class Watch(threading.Thread):
    """Measures until `finish()`. MLflow's own watch gives up where the store is away; this one leaves that to `log`.

    MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL sets another interval than ten seconds.

    Args:
        log: takes a step, here seconds since 1970, and the figures by name.
    """

    def __init__(self, log: Callable[[int, Mapping[str, float]], None]) -> None:
        from mlflow.environment_variables import MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL
        from mlflow.system_metrics.metrics import cpu_monitor, disk_monitor, gpu_monitor, network_monitor, rocm_monitor

        super().__init__(daemon=True)
        self._log, self._ended = log, threading.Event()
        self._interval = MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL.get() or _INTERVAL_SECONDS
        self._parts = [cpu_monitor.CPUMonitor(), disk_monitor.DiskMonitor(), network_monitor.NetworkMonitor()]
        logging.getLogger("mlflow.system_metrics").setLevel(logging.ERROR)
        for kind in (gpu_monitor.GPUMonitor, rocm_monitor.ROCMMonitor):
            with suppress(Exception):  # no such device, or no library for it
                self._parts.append(kind())
        self.start()

    def run(self) -> None:
        """The thread."""
        while not self._ended.is_set():
            for part in self._parts:
                part.collect_metrics()
            if not self._ended.wait(self._interval):
                values = {name: value for part in self._parts for name, value in part.aggregate_metrics().items()}
                self._log(int(time.time()), {f"system/{name}": value for name, value in values.items()})
                for part in self._parts:
                    part.clear_metrics()

    def finish(self) -> None:
        """Ends it."""
        self._ended.set()
        self.join()
