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
  return (await ask(question)).trim();
}

/**
 * A secret that is made now: the same sources, but typed twice. It is taken as it stands, so that whatever reads it later has the
 * same; of a file without the end of its line.
 */
export async function readNewSecret(
  question: string,
  sources: { file?: string | undefined; variable: string },
): Promise<string> {
  const text = await newSecretFrom(question, sources);
  if (text === text.trim()) return text;
  throw new AppError(
    'usage',
    `${question}: it begins or ends with a space, which is easily lost. Choose another.`,
  );
}

async function newSecretFrom(
  question: string,
  { file, variable }: { file?: string | undefined; variable: string },
): Promise<string> {
  if (file !== undefined) return readFileSync(file, 'utf8').replace(/[\r\n]+$/, '');
  const fromEnvironment = process.env[variable];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
  if (!process.stdin.isTTY)
    throw new AppError('usage', `${question}: set ${variable}, or name a file that holds it.`);
  const typed = await ask(question);
  if ((await ask(`${question}, again`)) === typed) return typed;
  throw new AppError('usage', 'The two are not the same. Nothing was changed; try again.');
}

function ask(question: string): Promise<string> {
  const muted = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: muted, terminal: true });
  process.stderr.write(`${question}: `);
  return new Promise((resolve) => {
    prompt.question('', (answer) => {
      prompt.close();
      process.stderr.write('\n');
      resolve(answer);
    });
  });
}
