import type { Request, Response } from 'cosmjs-types/tendermint/abci/types';

export type MethodName = keyof Request & keyof Response;

/** One handler a method of ABCI 2.0; a missing one does not compile. Throwing halts the consensus engine. */
export type AbciMethods = {
  readonly [Name in keyof Required<Request>]: (
    request: NonNullable<Request[Name]>,
  ) => AnswerOf<Name> | Promise<AnswerOf<Name>>;
};

type AnswerOf<Name extends keyof Request> = NonNullable<Response[Name & keyof Response]>;

/** What the application implements; the connection itself answers `echo` and `flush`. */
export type Application = Omit<AbciMethods, 'echo' | 'flush'>;

/** Every method; a name that is missing here or is none does not compile. */
const NAMES: Record<keyof Request, true> = {
  echo: true,
  flush: true,
  info: true,
  initChain: true,
  query: true,
  checkTx: true,
  commit: true,
  listSnapshots: true,
  offerSnapshot: true,
  loadSnapshotChunk: true,
  applySnapshotChunk: true,
  prepareProposal: true,
  processProposal: true,
  extendVote: true,
  verifyVoteExtension: true,
  finalizeBlock: true,
};

const METHOD_NAMES = Object.keys(NAMES) as MethodName[];

/** The methods of an application with those that concern the connection alone. */
export function allMethods(application: Application): AbciMethods {
  return { ...application, echo: ({ message }) => ({ message }), flush: () => ({}) };
}

/** The method a request asks for; undefined for a message that holds none, or that this version does not know. */
export function methodOf(request: Request): MethodName | undefined {
  return METHOD_NAMES.find((name) => request[name] !== undefined);
}

/** Calls the method's handler and wraps its answer. */
export function answer(
  methods: AbciMethods,
  name: MethodName,
  request: Request,
): Response | Promise<Response> {
  const handler = methods[name] as (body: unknown) => unknown;
  const body = handler(request[name]);
  return body instanceof Promise ? body.then((value) => ({ [name]: value })) : { [name]: body };
}
