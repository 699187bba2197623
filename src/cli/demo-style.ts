/** The style sheet of demo-page.ts: system fonts, cards in a grid, colours as variables for light and dark. */
export const DEMO_STYLE = `
:root {
  color-scheme: light dark;
  --page: #faf8f4; --card: #ffffff; --line: #e6e1d7; --text: #1c1f24; --soft: #666d78; --accent: #b8451b;
  --right: #1a7f50; --bar: #efe7da; --bar-right: #cdebdb;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121417; --card: #1b1e23; --line: #30353d; --text: #ece9e3; --soft: #a0a7b2; --accent: #ff9a66;
    --right: #62d6a0; --bar: #2a2f37; --bar-right: #1f4a38;
  }
}
* { box-sizing: border-box; margin: 0; }
body { background: var(--page); color: var(--text); font: 16px/1.6 system-ui, -apple-system, 'Segoe UI', sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 56px 24px 72px; display: grid; gap: 56px; }
main > * { min-width: 0; }
.eyebrow { color: var(--accent); font-weight: 600; font-size: 14px; letter-spacing: 0.02em; margin-bottom: 8px; }
h1 { font-size: clamp(30px, 5vw, 46px); line-height: 1.12; letter-spacing: -0.025em; text-wrap: balance; }
h2 { font-size: 23px; letter-spacing: -0.015em; line-height: 1.3; margin-bottom: 8px; }
h3 { font-size: 17px; font-weight: 600; margin-bottom: 12px; }
.lead { font-size: 18px; color: var(--soft); max-width: 66ch; margin-top: 14px; }
.note { color: var(--soft); font-size: 14.5px; max-width: 82ch; margin-bottom: 20px; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 30px; }
.facts div { display: flex; flex-direction: column-reverse; background: var(--card); border: 1px solid var(--line);
  border-radius: 14px; padding: 14px 16px; justify-content: flex-end; }
.facts + .facts { margin-top: 12px; }
.facts + .note { margin: 12px 0 0; }
.facts dd { font-size: 21px; font-weight: 650; letter-spacing: -0.01em; font-variant-numeric: tabular-nums; }
.facts dt { color: var(--soft); font-size: 13px; }
.grid { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
article { background: var(--card); border: 1px solid var(--line); border-radius: 16px; padding: 18px; }
ol { list-style: none; padding: 0; }
img { display: block; width: 100%; height: auto; background: #ffffff; border-radius: 12px; border: 3px solid var(--line);
  padding: 8%; }
b { font-weight: 600; font-variant-numeric: tabular-nums; }
.pictures { display: grid; grid-template-columns: repeat(3, 1fr); gap: 12px; }
.pictures li { text-align: center; font-size: 13px; line-height: 1.35; color: var(--soft); }
.pictures span, .pictures b { display: block; }
.pictures span { margin-top: 6px; overflow-wrap: anywhere; }
.pictures .right img { border-color: var(--right); }
.right b { color: var(--right); }
.shown { display: grid; grid-template-columns: 104px 1fr; gap: 16px; align-items: center; }
.names { display: grid; gap: 6px; font-size: 14.5px; }
.names li { position: relative; display: flex; justify-content: space-between; gap: 10px; padding: 5px 10px;
  border-radius: 8px; overflow: hidden; isolation: isolate; }
.names .bar { position: absolute; inset: 0 auto 0 0; z-index: -1; background: var(--bar); border-radius: 8px; }
.names .right .bar { background: var(--bar-right); }
.shown h3 { margin-bottom: 10px; line-height: 1.3; }
q { overflow-wrap: anywhere; }
span.right { color: var(--right); font-weight: 600; }
.pair { display: grid; grid-template-columns: 1fr auto 1fr; gap: 12px; align-items: center; margin-bottom: 14px; }
.pair > span { color: var(--accent); font-size: 24px; padding-bottom: 26px; }
figcaption { margin-top: 6px; text-align: center; font-size: 13px; line-height: 1.35; color: var(--soft); }
.lesson dl, .score dl { display: grid; grid-template-columns: auto 1fr; gap: 4px 12px; margin-top: 12px; font-size: 13.5px;
  line-height: 1.45; }
.lesson dt, .score dt { color: var(--soft); }
.score { display: grid; align-content: center; }
.score p { font-size: 17px; }
.score strong { display: block; font-size: 44px; line-height: 1.15; letter-spacing: -0.025em; color: var(--accent); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 14px; margin: 12px 0 14px; }
table { border-collapse: collapse; width: 100%; font-size: 15px; font-variant-numeric: tabular-nums; }
th, td { padding: 9px 14px; text-align: right; white-space: nowrap; }
thead th { color: var(--soft); font-size: 13px; font-weight: 500; }
thead th[colspan] { text-align: center; border-bottom: 1px solid var(--line); }
tbody tr { border-top: 1px solid var(--line); }
tbody th { text-align: left; font-weight: 400; }
tr.model th, tr.model td { font-weight: 650; }
.about p { max-width: 72ch; margin-top: 10px; }
footer { color: var(--soft); font-size: 13.5px; border-top: 1px solid var(--line); padding-top: 22px; display: grid; gap: 8px; }
footer ul { padding-left: 20px; columns: 2 320px; }
a { color: inherit; }
@media print { main { padding: 0; } article { break-inside: avoid; } }
`
