/** The promise to log an access, its header format, and what proves it kept or broken. */
export {
  type AccessPromise,
  decodePromise,
  encodePromise,
  isDueInTime,
  judgePromise,
  MAX_PROMISE_DELAY_MS,
  type PromisedBatch,
  type PromiseEvidence,
  type PromiseState,
  promiseMessage,
  promiseOfEntry,
  signBatchPromise,
  verifyPromise,
} from './access-promise.ts';
