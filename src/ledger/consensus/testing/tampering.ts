/** One change of a value, somewhere in it: a bit of some bytes, a number, a text, an entry of a list. Chosen by `random` in [0, 1). */
export function tamper<T>(value: T, random: () => number): T {
  return changed(value, random) as T;
}

/** Numbers in [0, 1) that follow from a seed (mulberry32). */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function changed(value: unknown, random: () => number): unknown {
  if (value instanceof Uint8Array) return changedBytes(value, random);
  if (typeof value === 'number') return random() < 0.5 || value === 0 ? value + 1 : value - 1;
  if (typeof value === 'bigint') return random() < 0.5 ? value + 1n : value - 1n;
  if (typeof value === 'string') return VOTES[value] ?? `${value}x`;
  if (Array.isArray(value)) return changedList(value, random);
  if (typeof value !== 'object' || value === null) throw new Error('there is nothing to change');
  const names = Object.keys(value);
  const name = pick(names, random);
  const members = value as Record<string, unknown>;
  return { ...members, [name]: changed(members[name], random) };
}

/** Of a vote the other one; a vote left out is no forgery as long as enough remain. */
const VOTES: Readonly<Record<string, string>> = { commit: 'nil', nil: 'commit', absent: 'absent' };

function changedBytes(bytes: Uint8Array, random: () => number): Uint8Array {
  if (bytes.length === 0 || random() < 0.1) return Uint8Array.of(...bytes, Math.floor(random() * 256));
  if (random() < 0.1) return bytes.slice(0, -1);
  const at = Math.floor(random() * bytes.length);
  return bytes.with(at, (bytes[at] as number) ^ (1 << Math.floor(random() * 8)));
}

function changedList(list: readonly unknown[], random: () => number): readonly unknown[] {
  const at = Math.floor(random() * list.length);
  const kind = random();
  if (kind < 0.1) return list.toSpliced(at, 1);
  if (kind < 0.2) return list.toSpliced(at, 0, list[at]);
  if (kind < 0.3 && list.length > 1) return swapped(list, at, (at + 1) % list.length);
  return list.with(at, changed(list[at], random));
}

function swapped(list: readonly unknown[], left: number, right: number): readonly unknown[] {
  return list.with(left, list[right]).with(right, list[left]);
}

function pick<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)] as T;
}
