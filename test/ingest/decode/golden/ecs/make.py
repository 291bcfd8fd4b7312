"""ECS events by Elastic's own Python library (PyPI: ecs-logging 2.3.0, structlog 26.1.0) -> python.jsonl"""

import json
import logging
import sys
from pathlib import Path

import ecs_logging
import structlog

out = open(Path(__file__).parent / "python.jsonl", "w")


class Line(logging.StreamHandler):
    def __init__(self):
        super().__init__(out)


logger = logging.getLogger("payment.api")
logger.setLevel(logging.DEBUG)
handler = Line()
handler.setFormatter(ecs_logging.StdlibFormatter(extra={"service.name": "payment"}))
logger.addHandler(handler)
logger.info("paid", extra={"event.duration": 31_250_000, "http.response.status_code": 200, "trace.id": "4bf92f3577b34da6"})
logger.warning("slow", extra={"event": {"duration": 812_000_000}, "http": {"response": {"status_code": 200}}})
logger.error("no stock", extra={"http.response.status_code": 503})
try:
    {}["order"]
except KeyError:
    logger.exception("order lost")

bare = logging.getLogger("bare")
bare.setLevel(logging.DEBUG)
handler = Line()
handler.setFormatter(ecs_logging.StdlibFormatter())
bare.addHandler(handler)
bare.critical("nobody says which service this is")

structlog.configure(
    processors=[structlog.processors.add_log_level, ecs_logging.StructlogFormatter()],
    logger_factory=structlog.PrintLoggerFactory(out),
)
structlog.get_logger().error("declined", **{"service.name": "payment", "event.outcome": "failure"})
out.close()
for line in open(out.name):
    json.loads(line)
print(open(out.name).read(), file=sys.stderr)
