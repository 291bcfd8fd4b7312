package bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Windows BROKERS TOPIC RECORDS [FILE]: the windowed aggregation on Kafka Streams, in an in-memory store without a changelog. The
 * windows are those of each partition and entity, so that no event goes through a repartition topic. With FILE
 * the closed windows are written to it, a line of JSON each, after the cost was measured.
 */
public final class Windows {
  static final long WINDOW_MS = 10_000;
  static final long LATENESS_MS = 30_000;
  static final String[] NUMBERS = {"amount", "tenure_days", "balance", "ratio"};
  static final ObjectMapper JSON = new ObjectMapper();
  static final AtomicLong ROWS = new AtomicLong();
  static final AtomicLong CLOSED = new AtomicLong();
  /** Closed windows for the comparison; null where no file is named. */
  static ConcurrentLinkedQueue<Closed> kept = null;
  static final CountDownLatch DONE = new CountDownLatch(1);

  static final class Aggregate {
    public long rows;
    public double[] means = new double[NUMBERS.length];
    public double[] m2s = new double[NUMBERS.length];
    public double[] mins = new double[NUMBERS.length];
    public double[] maxs = new double[NUMBERS.length];
    public Map<String, Long> countries = new HashMap<>();

    void add(JsonNode features) {
      rows++;
      for (int i = 0; i < NUMBERS.length; i++) {
        double value = features.get(NUMBERS[i]).doubleValue();
        double delta = value - means[i];
        means[i] += delta / rows;
        m2s[i] += delta * (value - means[i]);
        mins[i] = rows == 1 ? value : Math.min(mins[i], value);
        maxs[i] = rows == 1 ? value : Math.max(maxs[i], value);
      }
      countries.merge(features.get("country").textValue(), 1L, Long::sum);
    }
  }

  record Closed(int partition, long startMs, String entity, Aggregate aggregate) {
    Map<String, Object> asJson() {
      Map<String, Object> numbers = new HashMap<>();
      for (int i = 0; i < NUMBERS.length; i++)
        numbers.put(NUMBERS[i], Map.of("count", aggregate.rows, "mean", aggregate.means[i], "m2", aggregate.m2s[i],
            "min", aggregate.mins[i], "max", aggregate.maxs[i]));
      return Map.of("partition", partition, "startMs", startMs, "entity", entity, "rows", aggregate.rows,
          "numbers", numbers, "countries", aggregate.countries);
    }
  }

  static void write(String path) throws java.io.IOException {
    try (java.io.Writer file = java.nio.file.Files.newBufferedWriter(java.nio.file.Path.of(path))) {
      for (Closed window : kept) file.write(JSON.writeValueAsString(window.asJson()) + "\n");
    }
  }

  /** A store's values are bytes: a compact layout of its own costs less than JSON. */
  static Serde<Aggregate> aggregateSerde() {
    Serializer<Aggregate> serializer = (topic, aggregate) -> {
      int size = 8 + NUMBERS.length * 32 + 4;
      for (String name : aggregate.countries.keySet()) size += 4 + name.length() + 8;
      java.nio.ByteBuffer bytes = java.nio.ByteBuffer.allocate(size);
      bytes.putLong(aggregate.rows);
      for (int i = 0; i < NUMBERS.length; i++)
        bytes.putDouble(aggregate.means[i]).putDouble(aggregate.m2s[i]).putDouble(aggregate.mins[i]).putDouble(aggregate.maxs[i]);
      bytes.putInt(aggregate.countries.size());
      aggregate.countries.forEach((name, count) -> {
        byte[] text = name.getBytes(StandardCharsets.ISO_8859_1);
        bytes.putInt(text.length).put(text).putLong(count);
      });
      return bytes.array();
    };
    Deserializer<Aggregate> deserializer = (topic, data) -> {
      if (data == null) return null;
      java.nio.ByteBuffer bytes = java.nio.ByteBuffer.wrap(data);
      Aggregate aggregate = new Aggregate();
      aggregate.rows = bytes.getLong();
      for (int i = 0; i < NUMBERS.length; i++) {
        aggregate.means[i] = bytes.getDouble();
        aggregate.m2s[i] = bytes.getDouble();
        aggregate.mins[i] = bytes.getDouble();
        aggregate.maxs[i] = bytes.getDouble();
      }
      for (int left = bytes.getInt(); left > 0; left--) {
        byte[] text = new byte[bytes.getInt()];
        bytes.get(text);
        aggregate.countries.put(new String(text, StandardCharsets.ISO_8859_1), bytes.getLong());
      }
      return aggregate;
    };
    return Serdes.serdeFrom(serializer, deserializer);
  }

  static final class Fold implements Processor<byte[], byte[], Void, Void> {
    private final long records;
    private KeyValueStore<String, Aggregate> store;
    private int partition;
    private long highestMs = Long.MIN_VALUE;
    private long firstOpenMs = Long.MAX_VALUE;

    Fold(long records) {
      this.records = records;
    }

    @Override
    public void init(ProcessorContext<Void, Void> context) {
      store = context.getStateStore("windows");
      partition = context.taskId().partition();
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      try {
        JsonNode event = JSON.readTree(record.value());
        long timeMs = Instant.parse(event.get("time").textValue()).toEpochMilli();
        long endMs = timeMs - timeMs % WINDOW_MS + WINDOW_MS;
        String key = endMs + " " + event.get("model").textValue() + "@" + event.get("version").textValue() + "#" + event.get("segment").textValue();
        Aggregate aggregate = store.get(key);
        if (aggregate == null) aggregate = new Aggregate();
        aggregate.add(event.get("features"));
        store.put(key, aggregate);
        firstOpenMs = Math.min(firstOpenMs, endMs);
        highestMs = Math.max(highestMs, timeMs);
        if (firstOpenMs <= highestMs - LATENESS_MS) close(highestMs - LATENESS_MS);
        if (ROWS.incrementAndGet() >= records) DONE.countDown();
      } catch (java.io.IOException cause) {
        throw new IllegalStateException(cause);
      }
    }

    private void close(long watermarkMs) {
      List<String> closed = new ArrayList<>();
      firstOpenMs = Long.MAX_VALUE;
      try (KeyValueIterator<String, Aggregate> all = store.all()) {
        while (all.hasNext()) {
          KeyValue<String, Aggregate> window = all.next();
          long endMs = Long.parseLong(window.key.substring(0, window.key.indexOf(' ')));
          if (endMs <= watermarkMs) {
            closed.add(window.key);
            if (kept != null)
              kept.add(new Closed(partition, endMs - WINDOW_MS, window.key.substring(window.key.indexOf(' ') + 1), window.value));
          } else firstOpenMs = Math.min(firstOpenMs, endMs);
        }
      }
      for (String key : closed) store.delete(key);
      CLOSED.addAndGet(closed.size());
    }
  }

  public static void main(String[] args) throws Exception {
    long records = Long.parseLong(args[2]);
    if (args.length > 3) kept = new ConcurrentLinkedQueue<>();
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "bench-streams-" + UUID.randomUUID());
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getProperty("java.io.tmpdir") + "/bench-streams-" + UUID.randomUUID());
    settings.put("auto.offset.reset", "earliest");
    Topology topology = new Topology();
    topology.addSource("source", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), args[1]);
    topology.addProcessor("fold", () -> new Fold(records), "source");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore("windows"), Serdes.String(), aggregateSerde()).withLoggingDisabled(), "fold");
    OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long cpu = system.getProcessCpuTime();
    long started = System.nanoTime();
    KafkaStreams streams = new KafkaStreams(topology, settings);
    streams.start();
    DONE.await();
    double cpuUs = (system.getProcessCpuTime() - cpu) / 1e3;
    double wallMs = (System.nanoTime() - started) / 1e6;
    long rss = Runtime.getRuntime().totalMemory() / (1 << 20);
    System.out.printf(java.util.Locale.ROOT,
        "{\"records\":%d,\"cpuUs\":%.0f,\"wallMs\":%.0f,\"rssMb\":%d,\"outcome\":{\"rows\":%d,\"windows\":%d}}%n",
        records, cpuUs, wallMs, rss, ROWS.get(), CLOSED.get());
    if (kept != null) write(args[3]);
    streams.close(Duration.ofSeconds(5));
    System.exit(0);
  }
}
