import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { AppError } from '../shared/index.ts';

/**
 * A secret from a file, from the environment or typed without echo, in this order. Never from the command line, where
 * every user of the machine and the shell's history could read it.
 */
export async function readSecret(
  question: string,
  sources: { file?: string | undefined; variable: string },
): Promise<string> {
  if (sources.file !== undefined) return readFileSync(sources.file, 'utf8').trim();
  const fromEnvironment = process.env[sources.variable];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment.trim();
  if (!process.stdin.isTTY) {
    throw new AppError('usage', `${question}: set ${sources.variable}, or name a file that holds it.`);
  }
  return ask(question);
}

function ask(question: string): Promise<string> {
  const muted = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: muted, terminal: true });
  process.stderr.write(`${question}: `);
  return new Promise((resolve) => {
    prompt.question('', (answer) => {
      prompt.close();
      process.stderr.write('\n');
      resolve(answer.trim());
    });
  });
}
