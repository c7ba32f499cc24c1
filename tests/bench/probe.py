"""One fresh process, on this machine or a virtual board: a job as JSON in its argument, JSON lines on stdout.

Imports are late on purpose: what a measurement does not need must not be in the memory it measures.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).parents[2] / "device"))  # a board's Python finds nothing by itself

_RAM_RUNS = 10


def main() -> None:
    """Do the job of the argument."""
    job = json.loads(sys.argv[1])
    {"footprint": footprint, "count": count_instructions}[job["task"]](job)


def footprint(job: dict[str, Any]) -> None:
    """Resident bytes once a model has answered some times, and what its load took.

    The first model of a process starts the runtime up, whatever it is: that is a null model's part.
    """
    import numpy as np
    from calls import open_call

    from edgeseq_device import runtimes
    from edgeseq_device.measuring.memory import rss_bytes

    features = np.load(job["features"])
    runtimes.import_runtime(job["subject"]["runtime"])
    took_ms = []
    for each in (job["null"], job["subject"]):
        call = None  # the null model is gone before the other comes
        begin_ns = time.process_time_ns()
        call = open_call(each, features)
        took_ms.append((time.process_time_ns() - begin_ns) / 1e6)
        for _ in range(_RAM_RUNS):
            call.run()
    start_ms, load_ms = took_ms
    print(json.dumps({"start_ms": start_ms, "load_ms": load_ms, "rss_bytes": rss_bytes()}), flush=True)


def count_instructions(job: dict[str, Any]) -> None:
    """For each subject the instructions of one inference, less those of an empty region, and its answer."""
    import numpy as np
    from calls import open_call

    from edgeseq_device.measuring.counting import count
    from edgeseq_device.measuring.measure import median_and_spread

    log, features = Path(job["log"]), np.load(job["features"])
    gc.disable()
    empty, _spread = median_and_spread(count(log, job["runs"], lambda: None))
    for subject in job["subjects"]:
        call = open_call(subject, features)
        answer = call.answer()
        gc.collect()
        counts = count(log, job["runs"], call.run)
        median, spread = median_and_spread([each - empty for each in counts])
        line = {
            "id": subject["id"],
            "instructions": round(median),
            "spread_percent": spread,
            "answer": [float(each) for each in answer],
        }
        print(json.dumps(line), flush=True)
        del call


if __name__ == "__main__":
    main()
