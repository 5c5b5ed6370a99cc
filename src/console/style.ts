/**
 * The console's one style sheet, served as a file: the content security policy allows no style in the page. Every pair
 * of text and ground has a contrast of 4.5 to 1 or more, by light and by dark.
 */
export const style = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#faf9f6, #13171a);
  --surface: light-dark(#ffffff, #1b2125);
  --text: light-dark(#1c2226, #e9ecec);
  --quiet: light-dark(#566067, #a7b2b7);
  --line: light-dark(#e2ded6, #323b40);
  --accent: light-dark(#0b5a61, #86d3d6);
  --on-accent: light-dark(#ffffff, #0e2426);
  --alarm: light-dark(#9c2b1b, #ff9f8e);
  --alarm-ground: light-dark(#fdf0ed, #33201d);
  font: 1rem/1.55 system-ui, -apple-system, 'Segoe UI', sans-serif;
  -webkit-text-size-adjust: 100%;
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); overflow-wrap: break-word; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 0.25rem; }
code { font: 0.9em/1.5 ui-monospace, 'SF Mono', Consolas, monospace; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 0.5rem; background: var(--surface); padding: 0.5rem 1rem; }

header { border-bottom: 1px solid var(--line); background: var(--surface); }
header > div { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; align-items: center; justify-content: space-between; }
header > div, main, footer { max-width: 76rem; margin: 0 auto; padding: 0.875rem 1.25rem; }
header p { margin: 0; font-weight: 600; letter-spacing: 0.01em; }
header p span { color: var(--quiet); font-weight: 400; }
main { padding-top: 2rem; padding-bottom: 3rem; }
footer { color: var(--quiet); font-size: 0.875rem; }
h1 { font-size: 1.625rem; line-height: 1.25; margin: 0 0 0.5rem; letter-spacing: -0.01em; }
h2 { font-size: 1.125rem; margin: 0 0 0.25rem; }
.lead { margin: 0 0 1.75rem; color: var(--quiet); max-width: 46rem; }
.note { margin: 0 0 1rem; color: var(--quiet); max-width: 46rem; }

dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1px; margin: 0 0 2.5rem;
  background: var(--line); border: 1px solid var(--line); border-radius: 0.5rem; overflow: hidden; }
dl > div { background: var(--surface); padding: 0.875rem 1.125rem; }
dt { color: var(--quiet); font-size: 0.875rem; }
dd { margin: 0.125rem 0 0; font-size: 1.375rem; line-height: 1.3; font-variant-numeric: tabular-nums; }

section { margin: 0 0 2.75rem; }
table { width: 100%; border-collapse: separate; overflow: hidden; background: var(--surface); border: 1px solid var(--line);
  border-radius: 0.5rem; border-spacing: 0; }
caption { text-align: left; color: var(--quiet); font-size: 0.875rem; padding: 0 0 0.625rem; }
th, td { padding: 0.75rem 1rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--quiet); font-size: 0.8125rem; font-weight: 500; white-space: nowrap; }
tbody th { font-weight: 600; width: 26%; }
.keep, td code, th code { white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.quiet { color: var(--quiet); font-weight: 400; font-size: 0.875rem; }
.quiet, .line { display: block; }
.alarm { color: var(--alarm); font-weight: 500; }
meter { flex: 0 1 12rem; min-width: 4rem; height: 0.75rem; }
.share { display: flex; flex-wrap: wrap; align-items: center; gap: 0 0.75rem; margin-top: 0.125rem; }
.empty { background: var(--surface); border: 1px solid var(--line); border-radius: 0.5rem; padding: 1.125rem 1.25rem; }
.empty p { margin: 0 0 0.75rem; }
pre { margin: 0; padding: 0.875rem 1rem; background: var(--ground); border: 1px solid var(--line); border-radius: 0.375rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }

.places { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin: 0 auto 0 1rem; }
.places a { padding: 0.5rem 0; text-decoration: none; }
.places a[aria-current] { color: var(--text); font-weight: 600; border-bottom: 2px solid var(--accent); }
.find { display: flex; flex-wrap: wrap; gap: 0.75rem 1rem; align-items: end; margin: 0.75rem 0 1.25rem; }
.find p { margin: 0; flex: 0 1 16rem; }
.find label { display: block; font-size: 0.875rem; color: var(--quiet); }
.pages { display: flex; gap: 1.5rem; margin: 0.75rem 0; }
table + .note, .pages + .note { margin-top: 0.75rem; }
.pages a { padding: 0.625rem 0; }

button, input, select { font: inherit; border-radius: 0.375rem; padding: 0.5rem 1rem; min-height: 2.75rem; }
button { border: 1px solid var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600; cursor: pointer; }
button.plain { background: transparent; color: var(--accent); font-weight: 500; }
input, select { width: 100%; border: 1px solid var(--quiet); background: var(--surface); color: var(--text); }
.sign-in { max-width: 27rem; margin: 8vh auto 0; background: var(--surface); border: 1px solid var(--line); border-radius: 0.5rem;
  padding: 1.75rem; }
.sign-in label { display: block; font-weight: 600; margin-bottom: 0.375rem; }
.sign-in p { margin: 0 0 1.25rem; color: var(--quiet); }
.sign-in .hint { margin: 0.5rem 0 1.25rem; font-size: 0.875rem; }
.sign-in button { width: 100%; }
.sign-in form { margin: 1.5rem 0 0; padding: 1.25rem 0 0; border-top: 1px solid var(--line); }
.sign-in h2 { margin: 0 0 0.75rem; }
.sign-in strong { color: var(--text); overflow-wrap: anywhere; }
.sign-in .way { display: block; padding: 0.625rem 1rem; min-height: 2.75rem; border-radius: 0.375rem; background: var(--accent);
  color: var(--on-accent); font-weight: 600; text-align: center; text-decoration: none; overflow-wrap: anywhere; }
.viewer { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; }
.viewer span { color: var(--quiet); font-size: 0.875rem; overflow-wrap: anywhere; }
.sign-in .refused { margin: 0 0 1.25rem; padding: 0.75rem 1rem; color: var(--alarm); background: var(--alarm-ground);
  border-left: 3px solid var(--alarm); border-radius: 0.25rem; }

/* On a narrow screen each row is a card of its own, and every cell says what it is. */
@media (max-width: 52rem) {
  main { padding-top: 1.5rem; }
  dl { grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); }
  dd { font-size: 1.1875rem; }
  table { background: none; border: 0; }
  table, caption, tbody, tr, th, td { display: block; }
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; white-space: nowrap; }
  tbody tr { background: var(--surface); border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.75rem 1rem;
    margin-bottom: 0.75rem; }
  tbody th, td { border: 0; padding: 0.1875rem 0; width: auto; }
  td { display: grid; grid-template-columns: 6.25rem 1fr; gap: 0 0.5rem; }
  td::before { content: attr(data-label); color: var(--quiet); font-size: 0.875rem; grid-row: 1 / span 4; }
  .keep { white-space: normal; overflow-wrap: anywhere; }
  td > * { grid-column: 2; }
  .number { text-align: left; }
}
`
