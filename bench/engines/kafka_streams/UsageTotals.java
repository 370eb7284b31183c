package bench.engines.kafka_streams;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Counts usage events per account and day with Kafka Streams.
 *
 * <p>Takes the job as JSON. Counts {@code warm} events under other application ids first, so that the JVM
 * has compiled what there is to compile, and then the whole load from its beginning. Prints the seconds from
 * when every thread has its partitions to when every event is committed: what the first threads count while
 * the last ones join costs nothing.
 */
public final class UsageTotals {
    private final JsonNode job;
    private final Admin admin;

    private UsageTotals(JsonNode job, Admin admin) {
        this.job = job;
        this.admin = admin;
    }

    public static void main(String[] args) throws Exception {
        var job = new ObjectMapper().readTree(args[0]);
        var group = job.get("group").asText();
        var output = job.get("output").asText();
        var events = job.get("events").asLong();
        try (var admin = Admin.create(Map.of("bootstrap.servers", job.get("bootstrap").asText()))) {
            var warm = new NewTopic(output + "-warm", job.get("partitions").asInt(), (short) 1);
            admin.createTopics(List.of(warm)).all().get();
            var totals = new UsageTotals(job, admin);
            for (var left = job.get("warm").asLong(); left > 0; left -= events) {
                totals.count(group + "-warm-" + left, warm.name(), Math.min(left, events));
            }
            System.out.printf(Locale.ROOT, "took %.3f%n", totals.count(group, output, events));
        }
    }

    /** Return the seconds from when every thread has its partitions to when so many events are committed. */
    private double count(String group, String output, long events) throws Exception {
        var counted = new LongAdder();
        var streams = new KafkaStreams(topology(output, counted), settings(group));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        await(() -> balanced(streams));
        var started = System.nanoTime();
        await(() -> counted.sum() >= events);
        // Closing commits at once: the last events need not wait for the commit interval.
        var closing = Thread.startVirtualThread(streams::close);
        await(() -> committed(group) >= events);
        var taken = System.nanoTime() - started;
        closing.join();
        return taken / 1e9;
    }

    private Properties settings(String group) {
        var settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, job.get("bootstrap").asText());
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, group);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, job.get("folder").asText());
        job.get("settings").forEachEntry((name, value) -> settings.put(name, value.asText()));
        return settings;
    }

    private Topology topology(String output, LongAdder counted) {
        var ring = new DayRing(job.get("days").asInt());
        var usage = Serdes.serdeFrom(
                (_, _) -> {
                    throw new UnsupportedOperationException("usage events are only read");
                },
                new UsageDeserializer());
        var bytes = Serdes.ByteArray();
        var builder = new StreamsBuilder();
        builder.stream(job.get("input").asText(), Consumed.with(bytes, usage))
                .groupByKey()
                .aggregate(
                        () -> DayRing.EMPTY,
                        (_, event, days) -> {
                            counted.increment();
                            return ring.add(days, event);
                        },
                        Materialized.<byte[], byte[], KeyValueStore<Bytes, byte[]>>as("accounts")
                                .withKeySerde(bytes)
                                .withValueSerde(bytes))
                .toStream()
                .to(output, Produced.with(bytes, bytes));
        return builder.build();
    }

    private boolean balanced(KafkaStreams streams) {
        var threads = streams.metadataForLocalThreads();
        var share = job.get("partitions").asInt() / threads.size();
        return threads.stream().allMatch(thread -> thread.activeTasks().size() == share);
    }

    private long committed(String group) throws Exception {
        var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        return offsets.values().stream().mapToLong(offset -> offset.offset()).sum();
    }

    private static void await(Callable<Boolean> condition) throws Exception {
        while (!condition.call()) {
            Thread.sleep(1);
        }
    }
}
