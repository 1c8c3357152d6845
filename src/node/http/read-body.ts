import type { IncomingMessage } from 'node:http';
import { AppError } from '../../shared/index.ts';

/** Reads a request's body, refusing one longer than `limitBytes` before it is in memory. */
export function readBody(incoming: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const declared = Number(incoming.headers['content-length'] ?? 0);
  if (declared > limitBytes) return Promise.reject(tooLarge(limitBytes));
  const encoding = incoming.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    return Promise.reject(new AppError('unsupported-media-type', 'Send the body without Content-Encoding.'));
  }
  return collect(incoming, limitBytes);
}

function collect(incoming: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let total = 0;
    incoming.on('data', (chunk: Buffer) => {
      total += chunk.length;
      if (total > limitBytes) return reject(tooLarge(limitBytes));
      chunks.push(chunk);
    });
    incoming.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    incoming.on('error', (cause) =>
      reject(new AppError('request-aborted', 'The request ended before its body did.', { cause })),
    );
    incoming.on('aborted', () =>
      reject(new AppError('request-aborted', 'The request ended before its body did.')),
    );
  });
}

function tooLarge(limitBytes: number): AppError {
  return new AppError(
    'body-too-large',
    `The body is larger than the ${limitBytes} bytes allowed here. Send it in smaller parts.`,
  );
}
