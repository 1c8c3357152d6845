import { type ParseArgsConfig, parseArgs } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<O extends Options> = ReturnType<typeof parseArgs<{ options: O; allowPositionals: true }>>;

const HELP = { help: { type: 'boolean', default: false } } as const;
const USAGE_EXIT = 2;

/** The options of a command and what else stands there. Prints the usage for `--help`, and with a reason for what it does not know. */
export function commandLine<const O extends Options>(usage: string, options: O): Parsed<O> {
  const parsed = parsedOrExit(usage, { ...HELP, ...options });
  if ((parsed.values as { help?: boolean }).help !== true) return parsed as unknown as Parsed<O>;
  console.log(usage);
  process.exit(0);
}

/** A whole number that an option gives; what is none, or too small, ends the command. */
export function wholeNumber(name: string, text: string, least = 0): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(number) && number >= least) return number;
  console.error(`--${name} takes a whole number of at least ${least}.`);
  process.exit(USAGE_EXIT);
}

function parsedOrExit(usage: string, options: Options): ReturnType<typeof parseArgs> {
  try {
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    process.exit(USAGE_EXIT);
  }
}
