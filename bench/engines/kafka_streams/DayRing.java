package bench.engines.kafka_streams;

import java.nio.ByteBuffer;

/**
 * An account's days with usage, oldest first: the day since 1970 (int), its events (long) and their
 * durations in milliseconds (long), big-endian.
 *
 * <p>The bytes are the state itself: one more event of a known day changes two numbers in place.
 */
final class DayRing {
    static final byte[] EMPTY = {};

    private static final int EVENTS = Integer.BYTES;
    private static final int DURATION = EVENTS + Long.BYTES;
    private static final int ENTRY = DURATION + Long.BYTES;
    private static final long DAY_MILLIS = 86_400_000;

    private final int size;

    /** A ring of so many days up to the newest. */
    DayRing(int size) {
        this.size = size;
    }

    /** Count one event; one from before the ring changes nothing. */
    byte[] add(byte[] days, Usage usage) {
        var day = (int) (usage.occurredAt() / DAY_MILLIS);
        var entries = ByteBuffer.wrap(days);
        var at = days.length;
        while (at > 0 && entries.getInt(at - ENTRY) > day) {
            at -= ENTRY;
        }
        if (at == 0 || entries.getInt(at - ENTRY) != day) {
            return insert(entries, at, day, usage.duration());
        }
        var entry = at - ENTRY;
        entries.putLong(entry + EVENTS, entries.getLong(entry + EVENTS) + 1);
        entries.putLong(entry + DURATION, entries.getLong(entry + DURATION) + usage.duration());
        return days;
    }

    private byte[] insert(ByteBuffer entries, int at, int day, long duration) {
        var end = entries.capacity();
        var oldest = (at == end ? day : entries.getInt(end - ENTRY)) - size + 1;
        if (day < oldest) {
            return entries.array();
        }
        var start = 0;
        while (start < at && entries.getInt(start) < oldest) {
            start += ENTRY;
        }
        return ByteBuffer.allocate(end - start + ENTRY)
                .put(entries.array(), start, at - start)
                .putInt(day)
                .putLong(1)
                .putLong(duration)
                .put(entries.array(), at, end - at)
                .array();
    }
}
