// Sends numbered tracks to a host and prints the numbers of those that the library gave up.
import { Analytics } from '@segment/analytics-node'

const [host, count, pause] = process.argv.slice(2)
const analytics = new Analytics({ writeKey: 'demo-write-key', host, flushAt: 10, flushInterval: 500, maxRetries: 10 })
analytics.on('error', ({ ctx }) => {
  for (const failed of [ctx].flat()) if (failed) console.log(`given up ${failed.event.properties.feature}`)
})
for (let number = 0; number < Number(count); number++) {
  analytics.track({
    userId: 'u',
    event: 'Report Exported',
    context: { groupId: 'acme' },
    properties: { feature: String(number) },
  })
  await new Promise((done) => setTimeout(done, Number(pause)))
}
await analytics.closeAndFlush({ timeout: 120_000 })
