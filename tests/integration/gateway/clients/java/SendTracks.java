import com.segment.analytics.Analytics;
import com.segment.analytics.Callback;
import com.segment.analytics.messages.Message;
import com.segment.analytics.messages.TrackMessage;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Sends numbered tracks to a host and prints the numbers of those that the library gave up. */
public final class SendTracks {
  private SendTracks() {}

  public static void main(String[] arguments) throws InterruptedException {
    String host = arguments[0];
    int count = Integer.parseInt(arguments[1]);
    long pauseMillis = Long.parseLong(arguments[2]);
    Set<String> open = ConcurrentHashMap.newKeySet();
    Callback callback =
        new Callback() {
          @Override
          public void success(Message message) {
            open.remove(feature(message));
          }

          @Override
          public void failure(Message message, Throwable throwable) {
            if (open.remove(feature(message))) {
              System.out.println("given up " + feature(message));
            }
          }
        };
    Analytics analytics =
        Analytics.builder("demo-write-key")
            .endpoint(host)
            .flushQueueSize(10)
            .flushInterval(1, java.util.concurrent.TimeUnit.SECONDS)
            .callback(callback)
            .build();
    for (int number = 0; number < count; number++) {
      String feature = Integer.toString(number);
      open.add(feature);
      analytics.enqueue(
          TrackMessage.builder("Report Exported")
              .userId("u")
              .context(Map.of("groupId", "acme"))
              .properties(Map.of("feature", feature)));
      Thread.sleep(pauseMillis);
    }
    analytics.flush();
    while (!open.isEmpty()) {
      Thread.sleep(50);
    }
    System.exit(0);
  }

  private static String feature(Message message) {
    return (String) ((TrackMessage) message).properties().get("feature");
  }
}
