"""How the page looks: on a phone, on a desk, in the dark and on paper."""

__all__ = ["STYLE"]

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f6f7f9; --ink: #1a1d21; --quiet: #5a626b; --line: #d9dee3; --link: #0b5cad;
  --better: #0b5a94; --worse: #a83c00; --equivalent: #00634a; --inconclusive: #565c63;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --raised: #1d2125; --ink: #e8eaed; --quiet: #a4adb6; --line: #353b41; --link: #7db8f0;
    --better: #79b8ea; --worse: #f5a274; --equivalent: #63cfae; --inconclusive: #b4bbc2;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", "Noto Sans", Arial, sans-serif;
}
main { max-width: 74rem; margin: 0 auto; padding: 1rem 1rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: clamp(1.3rem, 1rem + 1.6vw, 1.9rem); line-height: 1.2; margin: 0.1rem 0 0.4rem; text-wrap: balance; }
h2 { font-size: 1.25rem; line-height: 1.25; margin: 2.6rem 0 0.6rem; }
h3 { font-size: 1rem; margin: 0 0 0.4rem; }
p { margin: 0.4rem 0; max-width: 46rem; }
a { color: var(--link); }
.name, .scale, .glance { color: var(--quiet); font-size: 0.875rem; margin: 0; }
.summary { font-weight: 600; }
.equation { font-size: 1.3rem; margin: 0.5rem 0; overflow-x: auto; overflow-y: hidden; padding: 0.15rem 0; }
.warning {
  border-left: 4px solid var(--worse); background: var(--raised); padding: 0.4rem 0.7rem; font-size: 0.9375rem;
}
.answer { display: grid; gap: 1rem; margin-top: 0.9rem; }
.verdicts { list-style: none; margin: 0; padding: 0; display: grid; gap: 0.6rem; align-content: start; }
.verdicts > li {
  border: 1px solid var(--line); border-left: 5px solid var(--tone); border-radius: 6px;
  padding: 0.55rem 0.75rem; background: var(--raised);
}
.verdicts strong { font-size: 1.0625rem; line-height: 1.35; font-weight: 600; margin-right: 0.3rem; }
.verdicts p { margin: 0.2rem 0 0; }
.figures { font-variant-numeric: tabular-nums; font-size: 0.9375rem; }
.rule { color: var(--quiet); font-size: 0.875rem; line-height: 1.4; }
.word { color: var(--tone); font-weight: 700; white-space: nowrap; }
.badge {
  display: inline-block; padding: 0.05rem 0.5rem; border: 1.5px solid var(--tone);
  border-radius: 1rem; color: var(--tone); font-size: 0.8125rem; font-weight: 700; line-height: 1.4;
  vertical-align: 0.1em;
}
.better { --tone: var(--better); } .worse { --tone: var(--worse); }
.equivalent { --tone: var(--equivalent); } .inconclusive { --tone: var(--inconclusive); }
.scores { border: 1px solid var(--line); border-radius: 6px; padding: 0.55rem 0.75rem; align-self: start; }
.scores table { width: 100%; }
.scores p { font-size: 0.9375rem; }
nav { margin-top: 1.4rem; font-size: 0.9375rem; }
nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.35rem 1.1rem; }
nav a { display: inline-block; padding: 0.15rem 0; }
table { border-collapse: collapse; font-size: 0.875rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
th, td {
  padding: 0.35rem 0.6rem 0.35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; text-align: left;
}
th { font-weight: 600; color: var(--quiet); }
thead th { vertical-align: bottom; }
tbody th { color: inherit; font-weight: 500; }
td.number, th.number { text-align: right; padding-left: 0.6rem; }
.scroll { overflow-x: auto; margin: 0.6rem 0; -webkit-overflow-scrolling: touch; }
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
td, th { overflow-wrap: normal; }
.scroll td.number { white-space: nowrap; }
.scroll tbody th { min-width: 8.5rem; max-width: 16rem; }
.scroll td.words { min-width: 6rem; max-width: 26rem; }
.scroll td.words, .scroll tbody th { overflow-wrap: anywhere; }
.scroll td.words:last-child { min-width: 15rem; }
dl { margin: 0.6rem 0; font-size: 0.9375rem; line-height: 1.45; max-width: 58rem; }
dt { font-weight: 600; margin-top: 0.5rem; }
dd { margin: 0; }
details summary { color: var(--quiet); font-size: 0.875rem; cursor: pointer; }
.drawings { display: grid; gap: 1.2rem 2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); }
figure { margin: 0.6rem 0 0; max-width: 30rem; }
figure svg { display: block; width: 100%; height: auto; stroke-linejoin: round; }
figcaption { color: var(--quiet); font-size: 0.875rem; line-height: 1.4; margin-top: 0.3rem; }
footer {
  color: var(--quiet); font-size: 0.875rem; border-top: 1px solid var(--line); margin-top: 3rem; padding-top: 0.6rem;
}
@media (prefers-color-scheme: dark) {
  figure svg { background: #ffffff; border-radius: 6px; }
}
@media (min-width: 60rem) {
  main { padding: 1.6rem 2rem 5rem; }
  .answer { grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 1.2rem; }
  .many { grid-template-columns: minmax(0, 1fr); }
  .many .verdicts { grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); }
  .many .figures { font-size: 0.875rem; }
  header:not(:has(+ .many)) .glance { display: none; }
  dl { display: grid; grid-template-columns: minmax(8rem, 16rem) 1fr; gap: 0.3rem 1.2rem; }
  dt { margin: 0; }
}
@media print {
  @page { size: A4; margin: 16mm 14mm; }
  @page wide { size: A4 landscape; margin: 12mm; }
  :root {
    color-scheme: light;
    --ground: #fff; --raised: #fff; --ink: #000; --quiet: #444; --line: #bbb; --link: #000;
    --better: #0b5a94; --worse: #a83c00; --equivalent: #00634a; --inconclusive: #565c63;
  }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  .lead { break-inside: avoid; }
  .lead > h2, .lead > p { break-after: avoid; }
  h2 { margin-top: 1.6rem; }
  dt { break-after: avoid; }
  dd { break-inside: avoid; }
  details::details-content { content-visibility: visible; }
  details summary { display: none; }
  .verdicts > li, figure, tr, .scores, p { break-inside: avoid; }
  .drawings { display: flex; flex-wrap: wrap; gap: 4mm 4%; }
  .drawings figure { width: 48%; }
  figure svg { background: none; }
  thead { display: table-header-group; }
  .scroll { overflow: visible; }
  .scroll table { width: 100%; font-size: 8.5pt; }
  .scroll td.number { white-space: normal; }
  .scroll tbody th, .scroll td.words, .scroll td.words:last-child { min-width: 0; }
  .wide { page: wide; }
  .wide table { font-size: 7.5pt; }
  .wide th, .wide td { padding-left: 0; padding-right: 0.35rem; }
}
"""
