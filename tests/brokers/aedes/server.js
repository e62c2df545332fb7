// SPDX-License-Identifier: Apache-2.0
// aedes over TCP for the tests: node server.js PORT STATE-FILE
// The user "u" needs the password "pw"; whoever names no user may come in. Topics under deny/ may be neither read nor
// written (aedes hangs up on who writes there). SIGTERM ends it in order: sessions, queued and retained messages are
// written to the state file and taken from it at the next start, so a restart forgets as little as a broker's may.
'use strict'
const fs = require('fs')
const net = require('net')
const aedes = require('aedes')
const persistence = require('aedes-persistence')

const [port, file] = process.argv.slice(2)
const store = persistence()
const broker = aedes({ persistence: store, concurrency: 1000 })
const known = new Set() // ids of clients with a session

broker.authenticate = (client, user, password, done) => {
  const good = !user || (user === 'u' && String(password) === 'pw')
  done(good ? null : Object.assign(new Error('bad user name or password'), { returnCode: 4 }), good)
}
broker.authorizeSubscribe = (client, subscription, done) =>
  done(null, subscription.topic.startsWith('deny/') ? null : subscription)
broker.authorizePublish = (client, packet, done) =>
  done(packet.topic.startsWith('deny/') ? new Error('not authorised') : null)
broker.on('subscribe', (_, client) => client && !client.clean && known.add(client.id))
broker.on('clientError', (client, error) => console.log(client.id, error.message))

const unpack = packet => ({ ...packet, payload: Buffer.from(packet.payload, 'base64') })
const pack = packet => ({ ...packet, payload: Buffer.from(packet.payload).toString('base64') })
const call = (method, ...given) => new Promise((resolve, reject) =>
  store[method](...given, (error, result) => error ? reject(error) : resolve(result)))

async function all (stream) {
  const found = []
  // A PUBREL without its message is nothing to begin again with.
  for await (const packet of stream) if (packet.payload) found.push(pack(packet))
  return found
}

async function load () {
  if (!fs.existsSync(file)) return
  const state = JSON.parse(fs.readFileSync(file))
  for (const packet of state.retained) await call('storeRetained', unpack(packet))
  for (const session of state.sessions) {
    known.add(session.id)
    await call('addSubscriptions', session, session.subscriptions)
    for (const packet of session.queued) await call('outgoingEnqueue', { clientId: session.id }, unpack(packet))
  }
}

async function save () {
  const state = { retained: await all(store.createRetainedStream('#')), sessions: [] }
  for (const id of known) {
    const subscriptions = await call('subscriptionsByClient', { id })
    if (subscriptions) state.sessions.push({ id, subscriptions, queued: await all(store.outgoingStream({ id })) })
  }
  fs.writeFileSync(file, JSON.stringify(state))
}

load().then(() => {
  const server = net.createServer(broker.handle)
  server.listen(Number(port), '127.0.0.1')
  process.on('SIGTERM', () => {
    server.close()
    for (const client of Object.values(broker.clients)) client.close()
    // What was acknowledged to a publisher a moment ago is still on its way to the queues.
    setTimeout(() => save().then(() => process.exit(0)), 100)
  })
})
