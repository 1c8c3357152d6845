import { createServer } from 'node:net';

/** Below the ports that the system gives to outgoing connections, so that none takes a port while its owner is down. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;

/** Ports that nothing listens on now; which ones are tried first differs between campaigns. */
export async function unusedPorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let tried = 0; found.length < count; tried++) {
    if (tried === PORTS) throw new Error('There are not enough free ports on this machine.');
    const port = FIRST_PORT + ((process.pid * 97 + tried) % PORTS);
    if (await isUnused(port)) found.push(port);
  }
  return found;
}

function isUnused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
