import type { Engine } from '../../src/engine/index.ts';
import { leafHash, MerkleLog, verifyConsistency, verifyInclusion } from '../../src/shared/index.ts';
import { askProgram } from './go-program.ts';

type Inclusion = {
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly size: number;
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
};
type Consistency = {
  readonly from: number;
  readonly to: number;
  readonly proof: readonly Uint8Array[];
  readonly fromRoot: Uint8Array;
  readonly toRoot: Uint8Array;
};
type MerkleCases = {
  readonly leaves: readonly Uint8Array[];
  readonly roots: readonly Uint8Array[];
  readonly inclusion: readonly Inclusion[];
  readonly consistency: readonly Consistency[];
};
type Findings = {
  readonly roots: readonly boolean[];
  readonly inclusion: readonly boolean[];
  readonly consistency: readonly boolean[];
};

/** What an engine says of its history: its leaves, and inclusion and consistency proofs over every pair of a spread of sizes. */
export async function merkleCases(engine: Engine): Promise<MerkleCases> {
  const { logSize, logRoot } = engine.head();
  const log = new MerkleLog();
  const leaves: Uint8Array[] = [];
  for (let index = 0; index < logSize; index += 1) {
    const leaf = await engine.leaf(index);
    if (leaf === undefined) throw new Error(`The history has no entry ${index} of ${logSize}.`);
    leaves.push(leaf);
    log.append(leafHash(leaf));
  }
  const roots = [...leaves.keys(), logSize].map((size) => (size === logSize ? logRoot : log.root(size)));
  const sizes = spread(logSize);
  const inclusion = sizes.flatMap((size) =>
    spread(size - 1).map((index) => ({
      leaf: leaves[index] as Uint8Array,
      index,
      size,
      proof: engine.inclusionProof(index, size) ?? [],
      root: roots[size] as Uint8Array,
    })),
  );
  const consistency = sizes.flatMap((to) =>
    spread(to).map((from) => ({
      from,
      to,
      proof: engine.consistencyProof(from, to) ?? [],
      fromRoot: roots[from] as Uint8Array,
      toRoot: roots[to] as Uint8Array,
    })),
  );
  return { leaves, roots, inclusion, consistency: consistency.filter(({ from }) => from > 0) };
}

/** Each proof again, changed in one place; nobody may accept any of these. */
export function changedCases(cases: MerkleCases): MerkleCases {
  return {
    ...cases,
    inclusion: cases.inclusion
      .flatMap((one) => [
        { ...one, index: (one.index + 1) % one.size, size: one.size },
        { ...one, root: flipped(one.root) },
        { ...one, leaf: flipped(one.leaf) },
        ...one.proof.map((hash, at) => ({ ...one, proof: one.proof.with(at, flipped(hash)) })),
        { ...one, proof: [...one.proof, one.root] },
      ])
      .filter(({ size, index }) => size > 1 && index < size),
    consistency: cases.consistency.flatMap((one) => [
      { ...one, fromRoot: flipped(one.fromRoot) },
      { ...one, toRoot: flipped(one.toRoot) },
      ...one.proof.map((hash, at) => ({ ...one, proof: one.proof.with(at, flipped(hash)) })),
      { ...one, proof: [...one.proof, one.toRoot] },
    ]),
  };
}

/** What our own code says of the same cases. */
export function ownFindings({ leaves, roots, inclusion, consistency }: MerkleCases): Findings {
  const log = new MerkleLog();
  for (const leaf of leaves) log.append(leafHash(leaf));
  return {
    roots: roots.map((root, size) => Buffer.compare(log.root(size), root) === 0),
    inclusion: inclusion.map(({ leaf, index, size, proof, root }) =>
      verifyInclusion(leafHash(leaf), index, size, proof, root),
    ),
    consistency: consistency.map(({ from, to, proof, fromRoot, toRoot }) =>
      verifyConsistency(from, to, proof, fromRoot, toRoot),
    ),
  };
}

/** What transparency-dev/merkle says of them. */
export function foreignFindings(program: string, cases: MerkleCases): Promise<Findings> {
  return askProgram<Findings>(program, cases);
}

/** All small numbers up to a last one, then steps around the powers of two, where trees change their form. */
function spread(last: number): number[] {
  const chosen = new Set<number>([last, last - 1]);
  for (let near = 1; near <= last; near *= 2) for (const step of [-1, 0, 1, 2]) chosen.add(near + step);
  return [...chosen].filter((value) => value >= 0 && value <= last).sort((left, right) => left - right);
}

function flipped(bytes: Uint8Array): Uint8Array {
  return bytes.with(0, (bytes[0] as number) ^ 1);
}
