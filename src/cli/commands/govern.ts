import { readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { type ChangeJson, decodeAdmissionRequest, signAdmissionRequest } from '../../client/index.ts';
import { ROLES, type Role } from '../../contracts/index.ts';
import { applyForAdmission, dataFolder, readKeyFile } from '../../node/index.ts';
import { AppError, fromBase64, fromHex, toHex } from '../../shared/index.ts';
import { accountOf } from '../account-argument.ts';
import { type AdminClient, adminClient } from '../admin-client.ts';
import { connect, custodianOf } from '../connect.ts';
import { type Terminal, table } from '../terminal.ts';
import { dataOption, nodeOption, repeatedChoice } from './options.ts';

const DEFAULT_BLOCKS = '10000';
const MIN_ID_DIGITS = 6;

interface ProposalJson {
  proposalId: string;
  status: string;
  proposer: string;
  lastHeight: number;
  change: ChangeJson;
  votes: { organisation: string; isYes: boolean }[];
  tally: { yes: number; no: number; members: number; needed: number };
}

interface GovernanceJson {
  height: number;
  organisation: string;
  members: string[];
  validators: { consensusKey: string; organisation: string; power: number }[];
  versions: { version: number; height: number }[];
  proposals: ProposalJson[];
}

/** `govern`: what the organisations of a ledger decide together. */
export function addGovernCommand(program: Command, terminal: Terminal): void {
  const govern = new Command('govern').description(
    'what the members of a ledger decide by vote: organisations, validators, new rules',
  );
  govern
    .command('list')
    .description('the members, the validators, and what can be voted on now')
    .addOption(dataOption())
    .action(async (options: { data: string }) => {
      const found = await governanceOf(clientOf(options.data));
      terminal.answer(found, governanceText(found));
    });
  addPropose(govern, terminal);
  addVote(govern, terminal);
  addApply(govern, terminal);
  program.addCommand(govern);
}

function addPropose(govern: Command, terminal: Terminal): void {
  const propose = new Command('propose').description(
    'propose a change in the name of this organisation; that is its vote for it',
  );
  const kind = (name: string, description: string): Command =>
    propose
      .command(name)
      .description(description)
      .addOption(dataOption())
      .option('--blocks <count>', 'for how many blocks members can vote', DEFAULT_BLOCKS);
  kind('admit', 'a new member, from the request that it made with `careledger govern apply`')
    .argument('<request>', 'the file of the request')
    .action((file: string, options: ProposeOptions) => open(admissionIn(file), options, terminal));
  kind('remove', 'a member is suspended, and its validators go')
    .argument('<organisation>', 'account id')
    .action((organisation: string, options: ProposeOptions) =>
      open({ kind: 'remove-organisation', organisation: accountOf(organisation) }, options, terminal),
    );
  kind('validators', 'the keys that decide blocks; power 0 takes one away')
    .argument(
      '<organisation,key,power...>',
      'account id, consensus key (base64 or hex) and power, with commas',
    )
    .action((texts: string[], options: ProposeOptions) =>
      open({ kind: 'set-validators', validators: texts.map(validatorOf) }, options, terminal),
    );
  kind('version', 'other rules from a block on; software that does not know them halts there')
    .argument('<version>', 'number of the version')
    .requiredOption('--at <height>', 'the first block that runs by it')
    .action((version: string, options: ProposeOptions & { at: string }) => {
      const change = {
        kind: 'activate-version',
        version: numberOf(version),
        height: numberOf(options.at),
      } as const;
      return open(change, options, terminal);
    });
  govern.addCommand(propose);
}

interface ProposeOptions {
  data: string;
  blocks: string;
}

async function open(change: ChangeJson, options: ProposeOptions, terminal: Terminal): Promise<void> {
  const blocks = numberOf(options.blocks);
  const opened = await clientOf(options.data).call('POST', '/admin/governance/propose', { change, blocks });
  const proposal = opened as unknown as ProposalJson;
  terminal.answer(
    proposal,
    proposal.status === 'executed'
      ? `Done: ${changeText(change)}.`
      : `Proposed: ${changeText(change)}.\n${standingText(proposal)}\nThe others vote with: careledger govern vote ${proposal.proposalId} --yes`,
  );
}

function addVote(govern: Command, terminal: Terminal): void {
  govern
    .command('vote')
    .description('vote in the name of this organisation, once and for good')
    .argument('<proposal>', 'its id, or the first digits of it')
    .option('--yes', 'for it')
    .option('--no', 'against it')
    .addOption(dataOption())
    .action((id: string, options: { data: string; yes?: boolean; no?: boolean }) => {
      if ((options.yes === true) === (options.no === true))
        throw new AppError('usage', 'Say either --yes or --no.');
      return decide('vote', id, options.data, { isYes: options.yes === true }, terminal);
    });
  govern
    .command('withdraw')
    .description('take back a proposal of this organisation')
    .argument('<proposal>', 'its id, or the first digits of it')
    .addOption(dataOption())
    .action((id: string, options: { data: string }) => decide('withdraw', id, options.data, {}, terminal));
}

async function decide(
  what: 'vote' | 'withdraw',
  id: string,
  data: string,
  more: { isYes?: boolean },
  terminal: Terminal,
): Promise<void> {
  const client = clientOf(data);
  const { proposalId, change } = findProposal(await governanceOf(client), id);
  const answer = await client.call('POST', `/admin/governance/${what}`, { proposalId, ...more });
  const proposal = answer as unknown as ProposalJson;
  const heading = {
    executed: `Carried, and done: ${changeText(change)}.`,
    withdrawn: `Withdrawn: ${changeText(change)}.`,
    open: `Voted ${more.isYes === true ? 'yes' : 'no'}: ${changeText(change)}.\n${standingText(proposal)}`,
  }[proposal.status];
  terminal.answer(proposal, heading ?? proposal.status);
}

interface ApplyOptions {
  node: string;
  data: string;
  key?: string;
  role: string[];
}

function addApply(govern: Command, terminal: Terminal): void {
  govern
    .command('apply')
    .description('ask a member to propose this organisation as a member; no private key is in the request')
    .argument('<request>', 'where to write the request; send it to the member')
    .addOption(nodeOption())
    .addOption(dataOption())
    .option('--key <keyfile>', "the organisation's key; that of the data folder when absent")
    .addOption(
      repeatedChoice('--role <role>', 'what kind of organisation it is (repeat)', Object.keys(ROLES)),
    )
    .action(async (file: string, options: ApplyOptions) => {
      const client = connect(options.node);
      const { chainId } = await client.genesis();
      const proposer = await custodianOf(client);
      const wanted = { chainId, proposer, roles: options.role as Role[] };
      const request =
        options.key === undefined
          ? await applyForAdmission({
              path: options.data,
              passphrase: process.env.CARELEDGER_PASSPHRASE,
              ...wanted,
            })
          : signAdmissionRequest(readKeyFile(options.key).seed, wanted);
      writeFileSync(file, `${JSON.stringify(request, null, 1)}\n`, { flag: 'wx' });
      terminal.answer(
        request,
        `The request is in ${file}. Send it to organisation ${request.proposer}, which proposes it with: careledger govern propose admit ${file}`,
      );
    });
}

function clientOf(data: string): AdminClient {
  return adminClient(dataFolder(data).adminSocket);
}

async function governanceOf(client: AdminClient): Promise<GovernanceJson> {
  return (await client.call('GET', '/admin/governance')) as unknown as GovernanceJson;
}

function findProposal({ proposals }: GovernanceJson, id: string): ProposalJson {
  const matching = proposals.filter(({ proposalId }) => proposalId.startsWith(id));
  const [found] = matching;
  if (found !== undefined && matching.length === 1 && id.length >= MIN_ID_DIGITS) return found;
  throw new AppError(
    'not-found',
    `No single open proposal has an id that begins with "${id.slice(0, 64)}" (at least ${MIN_ID_DIGITS} digits). \`careledger govern list\` shows them.`,
  );
}

function admissionIn(file: string): ChangeJson {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AppError('not-found', `${file} cannot be read.`, { cause });
  }
  return decodeAdmissionRequest(text).change;
}

function validatorOf(text: string): { organisation: string; consensusKey: string; power: number } {
  const [organisation = '', key = '', power = ''] = text.split(',');
  const bytes = fromHex(key) ?? fromBase64(key);
  if (bytes?.length !== 32)
    throw new AppError(
      'usage',
      'A validator is written ACCOUNT,KEY,POWER; its key has 32 bytes in base64 or hex.',
    );
  return { organisation: accountOf(organisation), consensusKey: toHex(bytes), power: numberOf(power) };
}

function numberOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new AppError('usage', `"${text.slice(0, 40)}" is not a whole number.`);
}

/** A change as a person would say it. */
function changeText(change: ChangeJson): string {
  switch (change.kind) {
    case 'admit-organisation':
      return `admit the organisation with key ${change.publicKey}${change.roles.length > 0 ? ` (${change.roles.join(', ')})` : ''}`;
    case 'remove-organisation':
      return `remove organisation ${change.organisation}`;
    case 'set-validators':
      return change.validators
        .map(({ consensusKey, organisation, power }) =>
          power === 0
            ? `take away validator ${consensusKey}`
            : `validator ${consensusKey} of ${organisation} with power ${power}`,
        )
        .join('; ');
    case 'activate-version':
      return `contract version ${change.version} from block ${change.height} on`;
  }
}

function standingText({ tally, lastHeight }: ProposalJson): string {
  const { yes, no, members, needed } = tally;
  return `${yes} yes, ${no} no of ${members} members; ${needed} yes are needed, up to block ${lastHeight}.`;
}

function governanceText(found: GovernanceJson): string {
  const members = found.members.map((id) => [
    `  ${id}`,
    id === found.organisation ? 'this organisation' : '',
  ]);
  const validators = found.validators.map((one) => [
    `  ${one.consensusKey}`,
    `power ${one.power}`,
    `of ${one.organisation}`,
  ]);
  const versions = found.versions.map(
    ({ version, height }) => `  version ${version} from block ${height} on`,
  );
  const proposals = found.proposals.flatMap((one) => [
    `  ${one.proposalId}`,
    `    ${changeText(one.change)}`,
    `    ${standingText(one)}`,
  ]);
  return [
    `Members at block ${found.height}:`,
    table(members),
    validators.length === 0
      ? 'Validators: none, an operator decides blocks.'
      : `Validators:\n${table(validators)}`,
    'Rules:',
    ...versions,
    proposals.length === 0 ? 'Nothing to vote on.' : 'To vote on:',
    ...proposals,
  ].join('\n');
}
