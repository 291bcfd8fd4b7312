"""Writes golden.json: records as Confluent's own Python client writes them, with the schemas that it registers.

The registry is a stand-in in this process that hands out ids and keeps what it was given. Run with
confluent-kafka[avro,json,protobuf]==2.16.0 and grpcio-tools: python make.py
"""
import base64, datetime, decimal, importlib, json, os, sys, tempfile, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import unquote, urlparse

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from grpc_tools import protoc

here = os.path.dirname(os.path.abspath(__file__))
schemas, subjects = {}, {}


class Registry(BaseHTTPRequestHandler):
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        parts = [unquote(part) for part in urlparse(self.path).path.strip("/").split("/")]
        kept = {key: body[key] for key in ("schema", "schemaType", "references") if body.get(key)}
        known = [id for id, schema in schemas.items() if schema == kept]
        if not known and parts[-1] != "versions":
            return self.answer(404, {"error_code": 40403, "message": "Schema not found"})
        id = known[0] if known else 101 + len(schemas)
        schemas[id] = kept
        versions = subjects.setdefault(parts[1], [])
        if id not in versions:
            versions.append(id)
        self.answer(200, {"id": id, "subject": parts[1], "version": versions.index(id) + 1, **kept})

    def do_GET(self):
        parts = [unquote(part) for part in urlparse(self.path).path.strip("/").split("/")]
        if parts[0] == "schemas":
            return self.answer(200, schemas[int(parts[2])])
        if parts[0] == "subjects" and len(parts) == 4:
            versions = subjects[parts[1]]
            version = len(versions) if parts[3] == "latest" else int(parts[3])
            id = versions[version - 1]
            return self.answer(200, {"id": id, "subject": parts[1], "version": version, **schemas[id]})
        self.answer(404, {"error_code": 40401, "message": "not found"})

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Registry)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = SchemaRegistryClient({"url": f"http://127.0.0.1:{server.server_port}"})
records = {}


def record(name, topic, serialize, value):
    records[name] = base64.b64encode(serialize(value, SerializationContext(topic, MessageField.VALUE))).decode()


# Avro: all kinds of types, then a newer version of the same subject, then a reference to a named type
time = datetime.datetime(2024, 3, 1, 11, 0, 0, 500000, tzinfo=datetime.timezone.utc)
first = {
    "type": "record", "name": "Line", "namespace": "shop",
    "fields": [
        {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "service", "type": "string"},
        {"name": "level", "type": {"type": "enum", "name": "Level", "symbols": ["info", "error"]}},
        {"name": "duration_ms", "type": ["null", "double"]},
        {"name": "status_code", "type": "int"},
        {"name": "micros", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "big", "type": "long"},
        {"name": "small", "type": "long"},
        {"name": "ratio", "type": "float"},
        {"name": "raw", "type": "bytes"},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 3}},
        {"name": "ok", "type": "boolean"},
        {"name": "labels", "type": {"type": "map", "values": "string"}},
        {"name": "spans", "type": {"type": "array", "items": {"type": "record", "name": "Span", "fields": [
            {"name": "n", "type": "int"}, {"name": "next", "type": ["null", "Span"], "default": None}]}}},
    ],
}
line = {
    "timestamp": time, "service": "checkout", "level": "error", "duration_ms": 12.5, "status_code": 503,
    "micros": time, "day": datetime.date(2024, 3, 1), "price": decimal.Decimal("-12.34"), "big": 2**53 + 1,
    "small": -7, "ratio": 0.5, "raw": b"\x00\xff", "hash": b"abc", "ok": True, "labels": {"region": "eu"},
    "spans": [{"n": 1, "next": {"n": 2, "next": None}}],
}
record("avro", "avro", AvroSerializer(client, json.dumps(first)), line)
second = {"type": "record", "name": "Line", "namespace": "shop", "fields": [
    {"name": "service", "type": "string"},
    {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "duration_ms", "type": "long", "default": 0}]}
record("avro evolved", "avro", AvroSerializer(client, json.dumps(second)),
       {"service": "checkout", "timestamp": time, "duration_ms": 99})
part = {"type": "record", "name": "Part", "namespace": "shop", "fields": [{"name": "name", "type": "string"}]}
client.register_schema("part", Schema(json.dumps(part), "AVRO"))
whole = {"type": "record", "name": "Whole", "namespace": "shop", "fields": [
    {"name": "timestamp", "type": "long"}, {"name": "service", "type": "shop.Part"}]}
record("avro reference", "avro-reference",
       AvroSerializer(client, Schema(json.dumps(whole), "AVRO", [SchemaReference("shop.Part", "part", 1)])),
       {"timestamp": 1709290800500, "service": {"name": "checkout"}})

# JSON Schema, alone and with a reference
schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Line", "type": "object",
          "properties": {"time": {"type": "string"}, "service": {"type": "string"}}, "required": ["service"]}
record("json", "json", JSONSerializer(json.dumps(schema), client),
       {"time": "2024-03-01T11:00:00.5Z", "service": "checkout", "duration_ms": 12.5})
name = {"$schema": "http://json-schema.org/draft-07/schema#", "$id": "name.json", "type": "string"}
client.register_schema("name", Schema(json.dumps(name), "JSON"))
referring = {"$schema": "http://json-schema.org/draft-07/schema#", "$id": "line.json", "title": "Referring", "type": "object",
             "properties": {"service": {"$ref": "name.json"}, "time": {"type": "number"}}}
record("json reference", "json-reference",
       JSONSerializer(Schema(json.dumps(referring), "JSON", [SchemaReference("name.json", "name", 1)]), client),
       {"time": 1709290800.5, "service": "checkout"})

# Protobuf: several messages in a file, nested ones, imports, well-known types
files = {
    "shop/common.proto": """syntax = "proto3"; package shop;
message Service { string name = 1; }""",
    "shop/line.proto": """syntax = "proto3"; package shop;
import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto"; import "google/protobuf/struct.proto";
import "shop/common.proto";
enum Level { info = 0; error = 1; }
message Line {
  google.protobuf.Timestamp timestamp = 1; Service service = 2; Level level = 3; double duration_ms = 4;
  int32 status_code = 5; int64 big = 6; sint64 small = 7; optional int32 maybe = 8; repeated int32 packed = 9;
  repeated string names = 10; map<string, int64> labels = 11; oneof one { string text = 12; int32 number = 13; }
  google.protobuf.StringValue wrapped = 14; google.protobuf.Struct extra = 15; bytes raw = 16; fixed64 fixed = 17;
  float ratio = 18; bool ok = 19; uint64 huge = 20; sfixed32 down = 21;
}
message Point {
  map<string, string> labels = 1;
  message Inner { string name = 1; double value = 2; int64 time = 3; }
  message Other { string name = 1; double value = 2; int64 time = 3; int32 more = 4; }
}""",
    "shop/old.proto": """syntax = "proto2"; package shop;
message Old { required string service = 1; optional int64 time = 2; optional int32 retries = 3 [default = 5];
  repeated int32 loose = 4; }""",
}
with tempfile.TemporaryDirectory() as folder:
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "w") as file:
            file.write(text)
    include = os.path.join(os.path.dirname(protoc.__file__), "_proto")
    assert protoc.main(["protoc", f"-I{folder}", f"-I{include}", f"--python_out={folder}",
                        *(os.path.join(folder, path) for path in files)]) == 0
    sys.path.insert(0, folder)
    line_pb2 = importlib.import_module("shop.line_pb2")
    old_pb2 = importlib.import_module("shop.old_pb2")
    message = line_pb2.Line(
        duration_ms=12.5, status_code=503, level=1, big=2**53 + 1, small=-7, packed=[1, -2, 300], names=["a", "b"],
        labels={"region": 3}, number=0, raw=b"\x00\xff", fixed=2**63, ratio=0.5, ok=True, huge=2**64 - 1, down=-5)
    message.timestamp.FromDatetime(time)
    message.service.name = "checkout"
    message.wrapped.value = "w"
    message.extra.update({"a": 1, "b": [True, None, {"c": "d"}]})
    inner = {"name": "queue", "value": 0, "time": 1709290800}
    def write(type):
        return ProtobufSerializer(type, client, {"use.deprecated.format": False})
    record("protobuf", "protobuf", write(line_pb2.Line), message)
    record("protobuf second", "second", write(line_pb2.Point), line_pb2.Point(labels={"a": "b"}))
    record("protobuf nested", "nested", write(line_pb2.Point.Inner), line_pb2.Point.Inner(**inner))
    record("protobuf nested second", "nested", write(line_pb2.Point.Other), line_pb2.Point.Other(**inner, more=1))
    record("protobuf empty", "protobuf", write(line_pb2.Line), line_pb2.Line())
    record("protobuf 2", "old", write(old_pb2.Old),
           old_pb2.Old(service="checkout", time=1709290800, loose=[1, 2]))

with open(os.path.join(here, "golden.json"), "w") as file:
    json.dump({"files": files, "schemas": schemas, "subjects": subjects, "records": records}, file, indent=1)
    file.write("\n")
