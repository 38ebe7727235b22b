/** Inside a shadow root: the page's styles do not reach in, and these do not reach out. `--remit-chat-color` is the site's. */
export const STYLE = `
:host { all: initial; --c: var(--remit-chat-color, #0b6b5c); --bg: #fff; --fg: #1a1b1e; --soft: #f1f3f5; --line: #ced4da; --dim: #495057; color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { :host { --bg: #1f2023; --fg: #e9ecef; --soft: #2c2e33; --line: #4d5057; --dim: #c1c2c5; } }
* { box-sizing: border-box; font: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--c); outline-offset: 2px; }
.open { position: fixed; right: 20px; bottom: 20px; z-index: 2147483000; padding: 12px 18px; border: 0; border-radius: 24px; background: var(--c); color: #fff; font-weight: 600; box-shadow: 0 2px 12px rgb(0 0 0 / .25); }
.panel { position: fixed; right: 20px; bottom: 20px; z-index: 2147483000; display: flex; flex-direction: column; width: min(400px, calc(100vw - 24px)); height: min(600px, calc(100dvh - 40px)); background: var(--bg); color: var(--fg); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; box-shadow: 0 6px 30px rgb(0 0 0 / .25); }
.panel.page { inset: 0; width: 100%; height: 100%; max-width: 760px; margin: 0 auto; border: 0; border-radius: 0; box-shadow: none; }
[hidden] { display: none !important; }
header { display: flex; align-items: center; gap: 8px; padding: 10px 12px; border-bottom: 1px solid var(--line); }
header h2 { flex: 1; margin: 0; font-size: 15px; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
header button { border: 1px solid var(--line); border-radius: 6px; padding: 2px 8px; background: transparent; color: inherit; font-size: 13px; }
.log { flex: 1; overflow-y: auto; padding: 12px; display: flex; flex-direction: column; gap: 10px; }
.line { max-width: 88%; padding: 8px 12px; border-radius: 10px; background: var(--soft); overflow-wrap: anywhere; align-self: flex-start; }
.line.user { align-self: flex-end; background: var(--c); color: #fff; white-space: pre-wrap; }
.line.note { background: transparent; border: 1px solid var(--line); color: var(--dim); }
.line > :first-child { margin-top: 0; } .line > :last-child { margin-bottom: 0; }
.line p, .line ul, .line ol, .line pre { margin: 6px 0; } .line ul, .line ol { padding-left: 20px; }
.line pre { overflow-x: auto; padding: 8px; border-radius: 6px; background: var(--bg); } .line code { font-family: ui-monospace, monospace; font-size: 13px; }
.line strong { font-weight: 600; } .line em { font-style: italic; }
.line a { color: inherit; } .line button { margin-top: 6px; border: 1px solid var(--line); border-radius: 6px; padding: 2px 10px; background: var(--bg); color: var(--fg); }
.dots::after { content: "…"; animation: blink 1.2s infinite; } @keyframes blink { 50% { opacity: .2; } }
@media (prefers-reduced-motion: reduce) { .dots::after { animation: none; } }
form { display: flex; gap: 8px; padding: 10px; border-top: 1px solid var(--line); }
textarea { flex: 1; resize: none; max-height: 140px; padding: 8px 10px; border: 1px solid var(--line); border-radius: 8px; background: var(--bg); color: var(--fg); }
form button { border: 0; border-radius: 8px; padding: 0 14px; background: var(--c); color: #fff; font-weight: 600; } form button:disabled { opacity: .55; cursor: default; }
`;
