"""The look of a report."""

STYLE = """
:root { color-scheme: light dark; --bg: #f6f7f9; --card: #fff; --ink: #1c2330; --soft: #5b6577; --line: #dde1e8;
  --good: #14703f; --good-bg: #e2f4e9; --bad: #b3261e; --bad-bg: #fce8e6; --warn: #8a5300; --warn-bg: #fdf0d8; }
@media (prefers-color-scheme: dark) { :root { --bg: #12161d; --card: #1a202a; --ink: #e6e9ef; --soft: #9aa5b8;
  --line: #2d3644; --good: #6fd39b; --good-bg: #12351f; --bad: #ff9c94; --bad-bg: #431a18; --warn: #f3c26b; --warn-bg: #3d2c0c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .75rem 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: .9rem; margin: 1.25rem 0 .5rem; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.reason { color: var(--soft); margin: 0 0 1.25rem; overflow-wrap: anywhere; }
.badge { display: inline-block; font-size: .75rem; font-weight: 650; letter-spacing: .03em; padding: .15rem .55rem; border-radius: 99px; white-space: nowrap; }
.badge.passed, .change.extra { color: var(--good); background: var(--good-bg); }
.badge.failed, .change.missing { color: var(--bad); background: var(--bad-bg); }
.badge.error, .change.changed { color: var(--warn); background: var(--warn-bg); }
.tiles { list-style: none; display: flex; flex-wrap: wrap; gap: .75rem; padding: 0; margin: 0 0 1.5rem; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .6rem 1rem; min-width: 9rem; color: var(--soft); }
.tiles b { display: block; font-size: 1.6rem; line-height: 1.2; color: var(--ink); font-variant-numeric: tabular-nums; }
.tiles .passed b { color: var(--good); } .tiles .failed b { color: var(--bad); } .tiles .error b { color: var(--warn); } .tiles .none b { color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; margin: 0 0 .75rem; padding: .8rem 1rem; }
.card[open] { padding-bottom: 1.1rem; }
summary .badge { justify-self: start; }
summary { display: grid; grid-template-columns: 6.2rem minmax(10rem, 18rem) 1fr; gap: .75rem; align-items: baseline; cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary:focus-visible { outline: 2px solid var(--soft); outline-offset: 4px; border-radius: .3rem; }
.said, .about { color: var(--soft); overflow-wrap: anywhere; }
.about { margin: .6rem 0 .8rem; font-size: .87rem; }
.help { margin: .4rem 0 .8rem; padding: .5rem .75rem; background: var(--warn-bg); border-radius: .4rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .5rem 1.5rem; margin: 0; }
dt { color: var(--soft); font-size: .8rem; } dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; }
td { overflow-wrap: anywhere; min-width: 4rem; }
.change { font-size: .78rem; padding: .1rem .45rem; border-radius: .3rem; white-space: nowrap; }
.was { color: var(--bad); } .is { color: var(--good); }
.null { color: var(--soft); font-style: italic; } .alone { color: var(--soft); }
.notes { color: var(--soft); font-size: .9rem; }
footer { margin-top: 1.75rem; color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) { summary { grid-template-columns: 1fr; gap: .3rem; } }
@media print { body { background: none; } .card { break-inside: avoid; } }
""".strip()
