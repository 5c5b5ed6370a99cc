/** For paper first: black on white, a page number by the printer, rows that are not torn apart. */
export const invoiceStyle = `
@page { size: A4; margin: 18mm 16mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 2.5rem 2rem; color: #1c2226; background: #fff;
  font: 0.9375rem/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif; }
header { display: flex; justify-content: space-between; gap: 2rem; border-bottom: 2px solid #0b5a61; padding-bottom: 1rem; }
header p { margin: 0; font-weight: 600; font-size: 1.125rem; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.2; color: #0b5a61; text-align: right; }
h1 small { display: block; font-size: 0.9375rem; font-weight: 400; color: #566067; }
dl { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1rem; margin: 1.75rem 0; }
dt { font-size: 0.8125rem; color: #566067; }
dd { margin: 0; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { font-size: 0.8125rem; font-weight: 600; color: #566067; text-align: left; }
th, td { padding: 0.4375rem 0.5rem; border-bottom: 1px solid #e2ded6; vertical-align: top; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
.n { text-align: right; white-space: nowrap; }
tr.share td { border-bottom: 0; padding-top: 0; padding-bottom: 0.1875rem; font-size: 0.8125rem; color: #566067; }
tr.share td:first-child { padding-left: 1rem; }
tr.split td { border-bottom: 0; }
tr.line td { border-top: 1px solid #e2ded6; }
tfoot td { border: 0; border-top: 2px solid #0b5a61; font-weight: 700; font-size: 1.125rem; }
footer { margin-top: 2rem; font-size: 0.8125rem; color: #566067; overflow-wrap: anywhere; }
.note { border-left: 3px solid #9c2b1b; padding: 0.25rem 0.75rem; }
@media (max-width: 40rem) { body { padding: 1rem; } dl { grid-template-columns: repeat(2, 1fr); } th, td { padding-left: 0.25rem; padding-right: 0.25rem; }
  header { flex-wrap: wrap; gap: 0.5rem 2rem; } tfoot td { font-size: 1rem; } tr.share td:first-child { padding-left: 0.5rem; } }
@media print { body { padding: 0; max-width: none; } tr, footer { break-inside: avoid; } thead { display: table-header-group; }
  tr.split { break-after: avoid; } tfoot { display: table-row-group; } }
`
