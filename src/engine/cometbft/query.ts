import type { RequestQuery, ResponseQuery } from 'cosmjs-types/tendermint/abci/types';
import { toHex, utf8 } from '../../shared/index.ts';
import type { ApplicationParts } from './application.ts';

const BAD_QUERY = 1;
const NOT_FOUND = 2;
const KEY_BYTES = 32;

type Found = { readonly key?: Uint8Array; readonly value: Uint8Array } | undefined;

/** The paths a query may name; each gives a value at the head, with its proof in JSON. */
const PATHS: Record<string, (parts: ApplicationParts, data: Uint8Array) => Found | Promise<Found>> = {
  '/head': ({ reader }) => {
    const { height, timeMs, logSize, logRoot, stateRoot, appHash, checkpoint } = reader.head();
    return json({
      height,
      timeMs,
      logSize,
      logRoot: toHex(logRoot),
      stateRoot: toHex(stateRoot),
      appHash: toHex(appHash),
      checkpoint,
    });
  },
  '/state': ({ reader }, key) => {
    if (key.length !== KEY_BYTES) return undefined;
    const { head, value, proof } = reader.stateProof(key);
    const { siblings, otherLeaf } = proof;
    const answer = json({
      height: head.height,
      appHash: toHex(head.appHash),
      value: value === undefined ? null : toHex(value),
      siblings: siblings.map(toHex),
      otherLeaf:
        otherLeaf === null ? null : { key: toHex(otherLeaf.key), valueHash: toHex(otherLeaf.valueHash) },
    });
    return { ...answer, key };
  },
  '/transaction': async ({ reader }, id) => {
    const found = await reader.transaction(id);
    if (found === undefined) return undefined;
    const { height, index, code, leafIndex, timeMs } = found;
    const logSize = reader.head().logSize;
    const proof = reader.inclusionProof(leafIndex, logSize)?.map(toHex);
    return { ...json({ height, index, code, leafIndex, timeMs, logSize, proof }), key: id };
  },
};

/** Answers `abci_query`. The head is the only height there is. */
export async function answerQuery(
  parts: ApplicationParts,
  { path, data, height }: RequestQuery,
): Promise<ResponseQuery> {
  const question = PATHS[path];
  const at = parts.chain.consensusHeight;
  if (question === undefined)
    return refusal(BAD_QUERY, `There is no such path. Use ${Object.keys(PATHS).join(', ')}.`, at);
  if (height !== 0n && Number(height) !== at)
    return refusal(BAD_QUERY, `Only the head is answered for, which is at block ${at}.`, at);
  const found = await question(parts, data);
  if (found === undefined) return refusal(NOT_FOUND, 'There is no such thing at the head.', at);
  return { ...refusal(0, '', at), key: found.key ?? new Uint8Array(), value: found.value };
}

function json(value: unknown): { value: Uint8Array } {
  return { value: utf8(JSON.stringify(value)) };
}

function refusal(code: number, log: string, height: number): ResponseQuery {
  const nothing = new Uint8Array();
  return {
    code,
    log,
    info: '',
    index: 0n,
    key: nothing,
    value: nothing,
    height: BigInt(height),
    codespace: 'careledger',
  };
}
