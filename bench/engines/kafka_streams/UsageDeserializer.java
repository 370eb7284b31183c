package bench.engines.kafka_streams;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Reads usage events in Confluent's wire format, field by field in the order of {@code usage.events.v1.avsc}.
 *
 * <p>Avro's own readers, generic and specific, take three times as long and more for the same fields: they
 * interpret a schema, or make objects of the strings that nobody counts.
 */
final class UsageDeserializer implements Deserializer<Usage> {
    private static final int SCHEMA_ID = 1;
    private static final int HEADER = 5;

    /** One a thread, because a deserializer is shared by all threads. */
    private final ThreadLocal<BinaryDecoder> decoders =
            ThreadLocal.withInitial(() -> DecoderFactory.get().binaryDecoder(new byte[0], null));

    @Override
    public Usage deserialize(String topic, byte[] data) {
        var header = ByteBuffer.wrap(data);
        if (header.get() != 0 || header.getInt() != SCHEMA_ID) {
            throw new SerializationException("not a usage event of schema " + SCHEMA_ID);
        }
        try {
            return read(DecoderFactory.get().binaryDecoder(data, HEADER, data.length - HEADER, decoders.get()));
        } catch (IOException error) {
            throw new SerializationException(error);
        }
    }

    private static Usage read(BinaryDecoder in) throws IOException {
        in.skipString(); // event_id
        in.skipString(); // tenant
        in.skipString(); // account_id
        in.skipString(); // source
        var occurredAt = in.readLong();
        in.readLong(); // received_at
        if (in.readIndex() == 1) {
            in.skipString(); // user_id
        }
        in.skipString(); // name
        if (in.readIndex() == 1) {
            in.skipString(); // feature
        }
        var duration = in.readIndex() == 1 ? in.readLong() : 0;
        return new Usage(occurredAt, duration); // what follows, error and latency_ms, isn't counted
    }
}
