import { basename } from 'node:path';
import { AppError } from '../../shared/index.ts';

const FRAME = /\(?(?:file:\/\/)?([^()\s]+):(\d+):\d+\)?$/;

/** What a log may say of an error: its code, or its kind and where it came from. Never its message, which may quote a record. */
export function faultText(error: unknown): string {
  if (error instanceof AppError) return error.code;
  if (!(error instanceof Error)) return typeof error;
  const stack = error.stack ?? '';
  const frames = stack
    .slice(stack.indexOf(error.message) + error.message.length)
    .trimStart()
    .split('\n');
  const [, file, line] = FRAME.exec(frames[0] ?? '') ?? [];
  return file === undefined ? error.name : `${error.name} at ${basename(file)}:${line}`;
}
