/** Tables of texts. */

/** Are there figures in a column, and nothing else? Rows may be shorter than others. */
export function isNumeric(rows: readonly (readonly (string | null)[])[], at: number): boolean {
  const known = rows.flatMap(row => row[at] ?? []);
  return known.length > 0 && known.every(text => text.trim() && Number.isFinite(Number(text)));
}
