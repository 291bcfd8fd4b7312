"""plain.py BROKERS TOPIC RECORDS [FILE]: the windowed aggregation on confluent-kafka, orjson and River, without a framework."""
import json
import sys

from confluent_kafka import Consumer, TopicPartition

from windows import Cost, Kept, Windows, outcome, parse

brokers, topic, records = sys.argv[1], sys.argv[2], int(sys.argv[3])
consumer = Consumer({"bootstrap.servers": brokers, "group.id": "bench-plain", "enable.auto.commit": False})
partitions = consumer.list_topics(topic).topics[topic].partitions
cost = Cost()
consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
kept = Kept()
windows = {partition: Windows(partition, kept) for partition in partitions}
left = records
while left > 0:
    for message in consumer.consume(5_000, timeout=1.0):
        windows[message.partition()].add(parse(message.value()))
        left -= 1
print(json.dumps(cost.result(records, outcome(windows))))
kept.write()
