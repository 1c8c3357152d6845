import { AppError, fromUtf8 } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import { isObject, type JsonObject } from '../labels/resource-walk.ts';

/** A version that was decrypted: its text, and what it says, which is parsed only when somebody asks. */
export interface OpenedContent {
  readonly text: string;
  /** Throws `damaged` when the text is no resource. */
  readonly resource: JsonObject;
}

/** Whether what went wrong is that the version is for its patient's wallet alone. */
export function isSealedAway(failure: unknown): boolean {
  return failure instanceof AppError && failure.code === 'record-sealed';
}

/**
 * Decrypts a version, and reads it unless it is known to read well. What goes wrong is a value: the access is logged before
 * anybody hears of it.
 */
export async function openContent(
  record: SealedRecord,
  isKnown: boolean,
): Promise<{ readonly content: OpenedContent } | { readonly failure: unknown }> {
  try {
    const text = fromUtf8(await record.open());
    if (text === undefined) return { failure: noResource() };
    const content = contentOf(text);
    return { content: isKnown ? content : { text, resource: content.resource } };
  } catch (failure) {
    return { failure };
  }
}

function contentOf(text: string): OpenedContent {
  let parsed: JsonObject | undefined;
  return {
    text,
    get resource() {
      parsed ??= parseResource(text);
      return parsed;
    },
  };
}

function parseResource(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Said below: what is stored was sealed as a resource.
  }
  throw noResource();
}

function noResource(): AppError {
  return new AppError('damaged', 'A stored record is not a resource. Run `careledger audit`.');
}
