"""Runs one command and prints as JSON what it took, its children included: `wall_s`, `cpu_s`, the `peak_bytes` of the
largest process, and the `code` it ended with. What the command prints goes to standard error.
"""

import json
import resource
import subprocess
import sys
import time

began = time.monotonic()
ended = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
wall_s = time.monotonic() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
# Linux counts memory in KiB here.
took = {
    "wall_s": wall_s,
    "cpu_s": used.ru_utime + used.ru_stime,
    "peak_bytes": used.ru_maxrss * 1024,
    "code": ended.returncode,
}
print(json.dumps(took))
