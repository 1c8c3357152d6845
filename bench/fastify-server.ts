/** The peer of the read benchmark: a bare Fastify that returns one constant of 1.4 KB. */
import fastify from 'fastify';

const CONSTANT_BYTES = 1400;
const body = JSON.stringify({ resourceType: 'Observation', note: 'x'.repeat(CONSTANT_BYTES - 45) });
const server = fastify();
server.get('/constant', (_request, reply) => reply.type('application/fhir+json').send(body));
const url = await server.listen({ port: 0, host: '127.0.0.1' });
process.send?.({ read: { url: `${url}/constant` } });
process.on('SIGTERM', () => process.exit(0));
