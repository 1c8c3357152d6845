import { setImmediate as others } from 'node:timers/promises';
import { AppError } from '../shared/index.ts';

export type RequestLimits = {
  readonly finds: number;
  /** Beside, for each entry of a bundle. */
  readonly findsPerEntry: number;
  readonly characters: number;
};

/**
 * A link to anything leads to nearly 150 types, and each takes a find. An entry of a bundle may have a condition, and refer to
 * several resources by a search.
 */
export const REQUEST_LIMITS: RequestLimits = { finds: 1000, findsPerEntry: 10, characters: 64_000_000 };
/** So many take a few milliseconds, and then the requests of others have their turn. */
const FINDS_IN_A_ROW = 32;

/**
 * What one request may cost the node, whatever it is made of. It counts what the requester asked in so many words, and what is
 * opened for them to see: were anything counted that is hidden from them, the limit would tell of it.
 */
export type RequestBudget = {
  /** A bundle may look for more, the more entries it has. */
  allowEntries(count: number): void;
  /** Before each look into the index, whether it finds anything or not. */
  countFind(): Promise<void>;
  /** Content as the requester sees it: a resource, or its text. */
  countContent(content: unknown): void;
  /** Throws when so much was opened that no more may be. */
  refuseIfSpent(): void;
  /** Gives back what is counted from here on, for work that is done over. */
  mark(): () => void;
};

export function createRequestBudget(limits: RequestLimits): RequestBudget {
  let maxFinds = limits.finds;
  let finds = 0;
  let characters = 0;
  const refuseIfSpent = () => {
    if (characters > limits.characters) throw tooMuchOpened(limits.characters);
  };
  return {
    allowEntries(count) {
      maxFinds += count * limits.findsPerEntry;
    },
    async countFind() {
      refuseIfSpent();
      finds += 1;
      if (finds > maxFinds) throw tooManyFinds(maxFinds);
      if (finds % FINDS_IN_A_ROW === 0) await others();
    },
    countContent(content) {
      characters += charactersOf(content);
      refuseIfSpent();
    },
    refuseIfSpent,
    mark() {
      const [findsBefore, charactersBefore] = [finds, characters];
      return () => {
        finds = findsBefore;
        characters = charactersBefore;
      };
    },
  };
}

function tooManyFinds(limit: number): AppError {
  return new AppError(
    'too-many',
    `This takes more than ${limit} searches, one for each type that a link may lead to. Name the types: subject:Patient.name=….`,
  );
}

function tooMuchOpened(limit: number): AppError {
  return new AppError(
    'too-many',
    `A request opens at most ${limit} characters of records. Ask for less at a time: narrow the search, take smaller pages with _count, or send the bundle in parts.`,
  );
}

/** Of a text, or about as many as a value has as JSON. */
function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 3;
  if (typeof value !== 'object' || value === null) return 6;
  if (Array.isArray(value)) return value.reduce((count: number, item) => count + charactersOf(item), 2);
  let count = 2;
  for (const [name, member] of Object.entries(value)) count += name.length + 3 + charactersOf(member);
  return count;
}
