// Receives webhooks on a free port, which it prints; verifies each with the vendor's library and prints its id.
import http from 'node:http'
import { Webhook } from 'standardwebhooks'

const webhook = new Webhook(process.argv[2])

const server = http.createServer((request, response) => {
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    try {
      const payload = webhook.verify(Buffer.concat(parts).toString(), request.headers)
      console.log(JSON.stringify({ id: request.headers['webhook-id'], type: payload.type }))
      response.writeHead(204).end()
    } catch (error) {
      console.log(JSON.stringify({ error: String(error.message) }))
      response.writeHead(401).end()
    }
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
