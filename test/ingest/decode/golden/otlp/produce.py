"""Logs and metrics by the OpenTelemetry SDK of Python (PyPI: opentelemetry-sdk 1.45.2, opentelemetry-exporter-otlp-proto-http),
sent to the Collector at 127.0.0.1:14318. Metrics twice: cumulative, as the SDK does by default, and delta."""

import logging

from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

ENDPOINT = "http://127.0.0.1:14318"
resource = Resource({"service.name": "payment", "service.version": "1.4.2", "host.name": "web-1"})

provider = LoggerProvider(resource=resource)
provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{ENDPOINT}/v1/logs")))
set_logger_provider(provider)
logger = logging.getLogger("payment.api")
logger.setLevel(logging.DEBUG)
logger.addHandler(LoggingHandler(logger_provider=provider))
logger.info("paid", extra={"http.response.status_code": 200, "duration_ms": 31.25})
logger.warning("slow", extra={"duration_ms": 812.5})
logger.error("no stock", extra={"http.response.status_code": 503})
try:
    {}["order"]
except KeyError:
    logger.exception("order lost")
for index in range(996):
    logger.debug("line %d", index)
provider.shutdown()

delta = AggregationTemporality.DELTA
for preferred in (None, {Counter: delta, Histogram: delta, UpDownCounter: AggregationTemporality.CUMULATIVE}):
    exporter = OTLPMetricExporter(endpoint=f"{ENDPOINT}/v1/metrics", preferred_temporality=preferred)
    meters = MeterProvider(
        resource=resource,
        metric_readers=[PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)],
        views=[View(instrument_name="rpc.duration", aggregation=ExponentialBucketHistogramAggregation())],
    )
    meter = meters.get_meter("payment")
    meter.create_counter("orders").add(12, {"plan": "gold"})
    meter.create_up_down_counter("open").add(-3)
    meter.create_gauge("temperature").set(21.5, {"room": "a"})
    durations = meter.create_histogram("http.server.duration", unit="ms")
    exponential = meter.create_histogram("rpc.duration", unit="ms")
    for value in (3, 7, 12, 30, 30, 80, 120, 260, 600, 2000):
        durations.record(value, {"http.route": "/pay"})
        exponential.record(value)
    meters.shutdown()
