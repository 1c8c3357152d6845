import { Command, Option } from 'commander';
import {
  ACTIONS,
  type ActionName,
  encodeRegistration,
  encodeRotateKey,
  provePossession,
  ROLES,
  type Role,
} from '../../contracts/index.ts';
import { encodeTransaction, signTransaction } from '../../ledger/index.ts';
import {
  createKey,
  createNextKey,
  dataFolder,
  type KeyFile,
  readKeyFile,
  writeKeyFile,
} from '../../node/index.ts';
import { fromHex, toHex } from '../../shared/index.ts';
import { accountOf } from '../account-argument.ts';
import { adminClient } from '../admin-client.ts';
import { connect, custodianOf } from '../connect.ts';
import { refuseExisting, writeNew } from '../private-output.ts';
import type { Terminal } from '../terminal.ts';
import { addNodeKeys } from './node-keys.ts';
import { dataOption, nodeOption, repeatedChoice } from './options.ts';

const VALID_FOR_BLOCKS = 1000;
const KINDS = ['practitioner', 'organisation', 'device'] as const;
type Kind = (typeof KINDS)[number];

/** `keys`: keys of people, organisations and devices, patients' one-time codes, and what a node's own keys are under. */
export function addKeysCommand(program: Command, terminal: Terminal): void {
  const keys = new Command('keys').description(
    'keys of practitioners, organisations and devices; one-time codes for patients; the keys of this node',
  );
  keys
    .command('create')
    .description('make a key in a file that only its owner reads')
    .argument('<file>', 'where to write it')
    .option('--name <text>', 'what you call it; stays in the file', '')
    .action((file: string, options: { name: string }) => {
      const key = createKey(options.name);
      writeKeyFile(file, key);
      terminal.answer(
        { file, accountId: key.accountId, publicKey: key.publicKey },
        `Made ${file}. Its account will be ${key.accountId}.`,
      );
    });
  keys
    .command('show')
    .description('the account and public key in a file')
    .argument('<file>')
    .action((file: string) => {
      const { name, accountId, publicKey } = readKeyFile(file);
      terminal.answer({ name, accountId, publicKey }, `account  ${accountId}\nkey      ${publicKey}`);
    });
  addRegister(keys, terminal);
  addRotate(keys, terminal);
  addSuspension(keys, terminal);
  keys
    .command('enrol-code')
    .description("a one-time code that binds a patient's wallet; hand it over in person")
    .argument('<patient>', 'such as Patient/ana')
    .addOption(dataOption())
    .option('--out <file>', 'write the code there, for its owner only')
    .action((patient: string, options: { data: string; out?: string }) =>
      issueCode(patient, options, terminal),
    );
  addNodeKeys(keys, terminal);
  program.addCommand(keys);
}

async function issueCode(
  patient: string,
  options: { data: string; out?: string },
  terminal: Terminal,
): Promise<void> {
  refuseExisting(options.out);
  const { code, expiresAtMs } = await adminClient(dataFolder(options.data).adminSocket).call(
    'POST',
    '/admin/enrol-code',
    { patient },
  );
  const until = new Date(Number(expiresAtMs)).toISOString();
  if (options.out === undefined)
    return terminal.answer({ code, expiresAtMs }, `${String(code)}   (once, until ${until})`);
  writeNew(options.out, `${String(code)}\n`);
  terminal.answer(
    { file: options.out, expiresAtMs },
    `The code for ${patient} is in ${options.out}; it works once, until ${until}.`,
  );
}

interface RegisterOptions {
  data: string;
  node: string;
  kind: Kind;
  role: string[];
  by?: string;
}

function addRegister(keys: Command, terminal: Terminal): void {
  keys
    .command('register')
    .description('put a key on the ledger: under this hospital, or with --by under another organisation')
    .argument('<keyfile>', 'the key to register')
    .addOption(new Option('--kind <kind>', 'what it is the key of').choices(KINDS).default('practitioner'))
    .addOption(repeatedChoice('--role <role>', 'a role (repeat)', Object.keys(ROLES)))
    .option('--by <keyfile>', 'key of the organisation that registers it; the node of --data when absent')
    .addOption(dataOption())
    .addOption(nodeOption())
    .action((file: string, options: RegisterOptions) => register(readKeyFile(file), options, terminal));
}

async function register(key: KeyFile, options: RegisterOptions, terminal: Terminal): Promise<void> {
  const client = connect(options.node);
  const by = options.by === undefined ? undefined : readKeyFile(options.by);
  const registrar = by === undefined ? await custodianOf(client) : bytesOf(by.accountId);
  const { chainId } = await client.genesis();
  const publicKey = bytesOf(key.publicKey);
  const possessionProof = provePossession(chainId, registrar, publicKey, key.seed);
  if (by === undefined) {
    const request = {
      kind: options.kind,
      publicKey: key.publicKey,
      possessionProof: toHex(possessionProof),
      roles: options.role,
    };
    await adminClient(dataFolder(options.data).adminSocket).call('POST', '/admin/parties', request);
  } else {
    await submitAs(
      by,
      `register-${options.kind}`,
      encodeRegistration({ publicKey, possessionProof, roles: options.role as Role[] }),
      options.node,
    );
  }
  terminal.answer(
    { accountId: key.accountId },
    `Registered ${key.accountId} as ${options.kind}${options.role.length > 0 ? ` (${options.role.join(', ')})` : ''}.`,
  );
}

function addRotate(keys: Command, terminal: Terminal): void {
  keys
    .command('rotate')
    .description('replace the key in a key file by a new one; its account keeps its id')
    .argument('<keyfile>', 'the present key')
    .argument('<newfile>', 'where to write the new one')
    .addOption(nodeOption())
    .action(async (file: string, newFile: string, options: { node: string }) => {
      const current = readKeyFile(file);
      const next = createNextKey(current);
      // Written first: a new key that is registered and lost would lock its owner out.
      writeKeyFile(newFile, next);
      const { chainId } = await connect(options.node).genesis();
      const newKey = bytesOf(next.publicKey);
      const possessionProof = provePossession(chainId, bytesOf(current.accountId), newKey, next.seed);
      await submitAs(current, 'rotate-key', encodeRotateKey({ newKey, possessionProof }), options.node);
      terminal.answer(
        { accountId: next.accountId, publicKey: next.publicKey },
        `The key of ${next.accountId} is now the one in ${newFile}. Destroy ${file}.`,
      );
    });
}

function addSuspension(keys: Command, terminal: Terminal): void {
  for (const [verb, description] of [
    ['suspend', 'end what an account may do; effective at once'],
    ['reinstate', 'let a suspended account act again'],
  ] as const) {
    keys
      .command(verb)
      .description(description)
      .argument('<account>', 'account id or key file')
      .addOption(dataOption())
      .action(async (account: string, options: { data: string }) => {
        const accountId = accountOf(account);
        await adminClient(dataFolder(options.data).adminSocket).call('POST', `/admin/${verb}`, { accountId });
        terminal.answer(
          { accountId, action: verb },
          `${verb === 'suspend' ? 'Suspended' : 'Reinstated'} ${accountId}.`,
        );
      });
  }
}

/** Signs one transaction with a key file and submits it. */
async function submitAs(key: KeyFile, name: ActionName, part: Uint8Array, node: string): Promise<void> {
  const client = connect(node);
  const signer = bytesOf(key.accountId);
  const { chainId, nextSequence: sequence, height } = await client.signingPlace(signer);
  const { contract, action } = ACTIONS[name];
  const draft = {
    chainId,
    contract,
    action,
    signer,
    sequence,
    lastValidHeight: height + VALID_FOR_BLOCKS,
    parts: [part],
  };
  await client.submit(encodeTransaction(signTransaction(draft, key.seed)));
}

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array();
}
