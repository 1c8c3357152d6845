import type { WitnessStatus } from '../cosigning/cosigner.ts';

/** What `GET /` tells about the node; nothing in it is about a person. */
export interface NodeDescription {
  name: string;
  organisation: string;
  version: string;
  chainId: string;
  ready: boolean;
  height: number;
  logSize: number;
  headTime: string;
  engine: string;
  witnesses: WitnessStatus;
  baseUrl: string;
  links: { href: string; title: string; about: string }[];
}

/** The `content-security-policy` of the page: only its own inline style. */
export const WELCOME_CSP =
  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/** A page that says what this node is, how it is, and where to go next. No script, no outside asset. */
export function welcomePage(node: NodeDescription): string {
  const facts = [
    ['Organisation', node.organisation],
    ['Status', node.ready ? 'ready' : 'not ready'],
    ['Ledger', node.engine],
    ['Height', String(node.height)],
    ['Transactions in the log', String(node.logSize)],
    ['Last block', node.headTime],
    ['Witnesses', witnessText(node.witnesses)],
    ['Version', node.version],
  ];
  const rows = facts
    .map(([name = '', value = '']) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`)
    .join('');
  const links = node.links
    .map(
      (link) =>
        `<li><a href="${escapeHtml(link.href)}">${escapeHtml(link.title)}</a><span>${escapeHtml(link.about)}</span></li>`,
    )
    .join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(node.name)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<p class="state ${node.ready ? 'good' : 'bad'}">${node.ready ? 'Ready' : 'Not ready'}</p>
<h1>${escapeHtml(node.name)}</h1>
<p class="lead">A FHIR R4 server where each patient decides who may read which part of the record, and anyone can check what was recorded, shared and seen.</p>
</header>
<section><h2>This node</h2><dl>${rows}</dl><p class="chain">Chain <code>${escapeHtml(node.chainId)}</code></p></section>
<section><h2>Where to go next</h2><ul>${links}</ul></section>
<section><h2>From the command line</h2>
<pre>careledger keys enrol-code Patient/ana
careledger wallet enrol
careledger consent grant --to &lt;account&gt;
careledger log</pre></section>
</main>
</body>
</html>
`;
}

/** How many witnesses signed the newest cosigned head, and how long ago. */
function witnessText({ configured, signed, height, ageSeconds }: WitnessStatus): string {
  if (configured === 0) return 'none: this node asks nobody to cosign its heads';
  if (height === null) return `${configured} asked, none has cosigned a head yet`;
  return `${signed} of ${configured} cosigned the head of height ${height}, ${ageText(ageSeconds ?? 0)} ago`;
}

function ageText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}

const STYLE = `
:root{color-scheme:light dark;--ink:#14212b;--soft:#51626f;--line:#d9e1e6;--paper:#fff;--ground:#f3f6f7;--accent:#0a6b62;--good:#0a6b62;--bad:#a3321f}
@media (prefers-color-scheme:dark){:root{--ink:#e7eef2;--soft:#9db0bc;--line:#2a3943;--paper:#16212a;--ground:#0e161c;--accent:#5cc9ba;--good:#5cc9ba;--bad:#f08a75}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:46rem;margin:0 auto;padding:3rem 1.25rem 4rem}
h1{font-size:2.1rem;line-height:1.15;margin:.4rem 0 .6rem;letter-spacing:-.02em}
h2{font-size:1rem;margin:0 0 .8rem;color:var(--soft);font-weight:600}
.lead{font-size:1.1rem;color:var(--soft);margin:0 0 2rem}
.state{display:inline-block;margin:0;padding:.15rem .7rem;border-radius:99px;border:1px solid currentColor;font-size:.85rem;font-weight:600}
.good{color:var(--good)}.bad{color:var(--bad)}
section{background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:1.3rem 1.4rem;margin:0 0 1.1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1.5rem;margin:0}
dt{color:var(--soft)}dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.chain{margin:1rem 0 0;color:var(--soft);font-size:.85rem}
code,pre{font:.85rem/1.6 ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
pre{margin:0;overflow-x:auto}
ul{list-style:none;margin:0;padding:0}
li{display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:.45rem 0;border-top:1px solid var(--line)}
li:first-child{border-top:0}
li a{flex:0 0 13rem;color:var(--accent);font-weight:600;text-decoration:none}
li a:hover,li a:focus-visible{text-decoration:underline}
li span{color:var(--soft);flex:1 1 14rem}`;
