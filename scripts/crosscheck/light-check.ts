import { seededNumbers, tamper } from '../../src/ledger/consensus/testing/tampering.ts';
import {
  encodeLightBlock,
  headerHash,
  type LightBlock,
  type VerifiedBlock,
  verifyNext,
  verifySelf,
} from '../../src/ledger/index.ts';
import { toHex } from '../../src/shared/index.ts';
import { askProgram } from './go-program.ts';
import { rpcForm } from './rpc-form.ts';

type Findings = {
  readonly height: number;
  readonly hash: string;
  readonly refusal: string;
  readonly steps: readonly boolean[];
};
type Step = { readonly trusted: LightBlock; readonly untrusted: LightBlock };

export type LightReport = {
  readonly blocks: number;
  /** Steps between blocks of the chain that both accept. */
  readonly steps: number;
  /** Tampered blocks that both refuse, and those that only ours refuses: CometBFT looks at no more signatures than it needs. */
  readonly refusedByBoth: number;
  readonly refusedByOurs: number;
  readonly failures: readonly string[];
};

const TRUSTING_PERIOD_MS = 365 * 24 * 3_600_000;
const CLOCK_DRIFT_MS = 10_000;

/** Gives a chain, steps within it and tampered steps to CometBFT's light client and to ours, and compares what both say. */
export async function checkLight(
  program: string,
  blocks: readonly LightBlock[],
  tamperings: number,
  seed: number,
): Promise<LightReport> {
  const nowMs = Date.now();
  const random = seededNumbers(seed);
  const pairs = stepsOf(blocks);
  const forged = Array.from({ length: tamperings }, () => forgedStep(pairs, random)).filter(
    (step) => step !== undefined,
  );
  const [first] = blocks;
  if (first === undefined) throw new Error('There are no blocks.');
  const said = await askProgram<Findings>(program, {
    chainId: first.header.chainName,
    nowMs,
    chain: blocks.map(rpcForm),
    steps: [...pairs, ...forged].map(({ trusted, untrusted }) => ({
      trusted: rpcForm(trusted),
      untrusted: rpcForm(untrusted),
    })),
  });
  const ours = [...pairs, ...forged].map((step) => isAccepted(step, nowMs));
  const failures = [...chainFailures(said, blocks)];
  pairs.forEach(({ trusted, untrusted }, index) => {
    if (!ours[index] || !said.steps[index])
      failures.push(
        `step ${trusted.header.height} to ${untrusted.header.height}: ours says ${ours[index]}, CometBFT ${said.steps[index]}`,
      );
  });
  const verdicts = forged.map(
    (_, index) => [ours[pairs.length + index], said.steps[pairs.length + index]] as const,
  );
  verdicts.forEach(([our], index) => {
    if (our)
      failures.push(
        `tampering ${index} of a block of height ${forged[index]?.untrusted.header.height} was accepted`,
      );
  });
  return {
    blocks: blocks.length,
    steps: pairs.length,
    refusedByBoth: verdicts.filter(([our, theirs]) => !our && !theirs).length,
    refusedByOurs: verdicts.filter(([our, theirs]) => !our && theirs).length,
    failures,
  };
}

function chainFailures({ height, hash, refusal }: Findings, blocks: readonly LightBlock[]): string[] {
  const last = blocks.at(-1);
  if (last === undefined || refusal !== '') return [`CometBFT's light client refused the chain: ${refusal}`];
  const expected = toHex(headerHash(last.header)).toUpperCase();
  return height === last.header.height && hash === expected
    ? []
    : [
        `CometBFT's light client came to block ${height} ${hash} instead of ${last.header.height} ${expected}`,
      ];
}

/** From each block to the next, and from each to the last. */
function stepsOf(blocks: readonly LightBlock[]): Step[] {
  return blocks.slice(0, -1).flatMap((trusted, index) => {
    const next = { trusted, untrusted: blocks[index + 1] as LightBlock };
    const last = { trusted, untrusted: blocks.at(-1) as LightBlock };
    return next.untrusted === last.untrusted ? [next] : [next, last];
  });
}

/** Undefined for a change that changes nothing, or that no answer can express. */
function forgedStep(pairs: readonly Step[], random: () => number): Step | undefined {
  const { trusted, untrusted } = pairs[Math.floor(random() * pairs.length)] as Step;
  const part = (['header', 'commit', 'validators'] as const)[Math.floor(random() * 3)] ?? 'header';
  const forged: LightBlock = { ...untrusted, [part]: tamper<unknown>(untrusted[part], random) };
  try {
    return toHex(encodeLightBlock(forged)) === toHex(encodeLightBlock(untrusted))
      ? undefined
      : { trusted, untrusted: forged };
  } catch {
    return undefined;
  }
}

function isAccepted({ trusted, untrusted }: Step, nowMs: number): boolean {
  const from = verifySelf(trusted, trusted.header.chainName);
  if (!from.ok) return false;
  const limits = { nowMs, trustingPeriodMs: TRUSTING_PERIOD_MS, maxClockDriftMs: CLOCK_DRIFT_MS };
  return verifyNext((from.value as VerifiedBlock).trusted, untrusted, limits).ok;
}
