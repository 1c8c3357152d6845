import type { Command } from 'commander';
import { AppError } from '../shared/index.ts';

/** A completion script for the given shell, made from the commands themselves so that it cannot fall behind. */
export function completionScript(program: Command, shell: string): string {
  const words = commandWords(program);
  if (shell === 'bash') return bash(words);
  if (shell === 'zsh') return `autoload -U +X bashcompinit && bashcompinit\n${bash(words)}`;
  if (shell === 'fish') return fish(words);
  throw new AppError('usage', 'Completion is made for bash, zsh and fish.');
}

/** For each command path, what may follow it: its subcommands and its long options. */
function commandWords(program: Command): Map<string, string[]> {
  const words = new Map<string, string[]>();
  const visit = (command: Command, path: string): void => {
    const options = command.options.map((option) => option.long).filter((name) => name != null);
    words.set(path, [...command.commands.map((child) => child.name()), ...options, '--help']);
    for (const child of command.commands) visit(child, `${path} ${child.name()}`.trim());
  };
  visit(program, '');
  return words;
}

function bash(words: Map<string, string[]>): string {
  const cases = [...words].map(([path, next]) => `    '${path}') words='${next.join(' ')}' ;;`).join('\n');
  return `# careledger completion; use it with: source <(careledger completion bash)
_careledger() {
  local path='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  while :; do
    case "$path" in
${cases}
    esac
    [ -n "$words" ] && break
    case "$path" in *' '*) path="\${path% *}" ;; *) path='' ;; esac
  done
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _careledger careledger
`;
}

function fish(words: Map<string, string[]>): string {
  const lines: string[] = ['# careledger completion; use it with: careledger completion fish | source'];
  for (const [path, next] of words) {
    const condition =
      path === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${path.split(' ').at(-1)}`;
    for (const word of next) {
      const completion = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
      lines.push(`complete -c careledger -n '${condition}' ${completion}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
