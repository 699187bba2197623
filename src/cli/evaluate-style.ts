/** What evaluate-page.ts adds to the style sheet of demo-page.ts: chips, and cards with lines of text. */
export const EVALUATE_STYLE = `
h2 small { color: var(--soft); font-size: 14.5px; font-weight: 400; letter-spacing: 0; margin-left: 6px; }
.lead { overflow-wrap: anywhere; }
section > .note { margin-bottom: 0; }
.gallery > .note { margin-bottom: 18px; }
tbody tr { border-top: 0; }
tbody tr.group { border-top: 1px solid var(--line); }
tbody th:first-child { color: var(--soft); }
.gallery > input { position: absolute; opacity: 0; pointer-events: none; }
.chips { display: flex; flex-wrap: wrap; gap: 8px; margin-bottom: 10px; }
.chips label { padding: 4px 12px; border: 1px solid var(--line); border-radius: 999px; background: var(--card);
  font-size: 14px; cursor: pointer; }
.gallery .grid { margin-top: 20px; }
.shown { align-items: start; padding: 14px; }
.shown h3 { font-size: 16px; line-height: 1.35; margin-bottom: 4px; overflow-wrap: anywhere; }
.shown dl { display: grid; grid-template-columns: auto 1fr; gap: 1px 10px; font-size: 13.5px; line-height: 1.45;
  margin-bottom: 8px; }
.shown dt { color: var(--soft); }
.shown dd { margin: 0; overflow-wrap: anywhere; }
.shown dd.right { color: var(--right); font-weight: 600; }
.shown .names { font-size: 13px; gap: 4px; }
.shown .names li { padding: 3px 8px; }
.shown .names b { white-space: nowrap; }
@media (max-width: 560px) { th, td { padding: 7px 8px; font-size: 14px; } }
`
