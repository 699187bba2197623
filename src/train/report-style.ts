/** The style sheet of report.ts: system fonts, one column of cards, colours as variables for light and dark. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f7f6f2; --card: #ffffff; --line: #e3e0d8; --text: #1d2026; --soft: #626a76;
  --blue: #2362b3; --orange: #c4561a; --green: #1d8757;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131519; --card: #1b1e24; --line: #2f343d; --text: #e9e7e2; --soft: #9ea6b2;
    --blue: #82b4ff; --orange: #ffa263; --green: #5dd39c;
  }
}
* { box-sizing: border-box; margin: 0; }
body { background: var(--page); color: var(--text); font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 48px 24px 72px; display: grid; gap: 40px; }
main > * { min-width: 0; }
h1 { font-size: 34px; line-height: 1.2; letter-spacing: -0.02em; text-wrap: balance; margin-bottom: 12px; }
h2 { font-size: 20px; letter-spacing: -0.01em; margin-bottom: 14px; }
h3 { font-size: 15px; font-weight: 600; margin-bottom: 10px; }
header p { color: var(--soft); max-width: 75ch; text-wrap: pretty; }
.note { color: var(--soft); font-size: 14px; margin: 10px 0 14px; max-width: 85ch; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
table { border-collapse: collapse; width: 100%; font-size: 15px; font-variant-numeric: tabular-nums; }
th, td { padding: 9px 14px; text-align: right; white-space: nowrap; }
thead th { color: var(--soft); font-size: 13px; font-weight: 500; vertical-align: bottom; }
thead th[colspan] { text-align: center; border-bottom: 1px solid var(--line); }
tbody tr { border-top: 1px solid var(--line); }
tbody th { text-align: left; font-weight: 400; }
tr.model th, tr.model td { font-weight: 650; }
.charts { display: grid; gap: 20px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
figure, article { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 18px; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 20px; margin-bottom: 10px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; color: var(--soft); font-size: 13px; }
.key { display: inline-block; width: 20px; margin-right: 6px; vertical-align: middle; }
figure svg { width: 100%; height: auto; overflow: visible; }
.retrievals { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 370px), 1fr)); }
ol { list-style: none; padding: 0; display: grid; grid-template-columns: repeat(5, 1fr); gap: 8px; }
li { text-align: center; color: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
li img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #ffffff; border-radius: 8px;
  border: 3px solid var(--line); padding: 3px; }
li.right { color: var(--green); font-weight: 650; }
li.right img { border-color: var(--green); }
@media print { main { padding: 0; } figure, article { break-inside: avoid; } }
`
