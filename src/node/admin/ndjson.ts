import { AppError } from '../../shared/index.ts';

type Line = Record<string, unknown>;

/** An answer of JSON lines, told while the work lasts; a failure is the last line, with its code. */
export function jsonLines(work: (tell: (line: Line) => void) => Promise<Line>): Response {
  const encoder = new TextEncoder();
  const stream = new ReadableStream<Uint8Array>({
    async start(controller) {
      const tell = (line: Line): void => controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
      try {
        tell(await work(tell));
      } catch (error) {
        tell(errorLine(error));
      }
      controller.close();
    },
  });
  return new Response(stream, { headers: { 'content-type': 'application/x-ndjson' } });
}

function errorLine(error: unknown): Line {
  if (error instanceof AppError) return { error: error.code, message: error.message };
  return { error: 'internal', message: 'The node failed on this request.' };
}
