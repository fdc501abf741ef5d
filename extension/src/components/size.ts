/** Amounts of memory, as people write them. */
const UNITS: Record<string, number> = { '': 1, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };
['K', 'M', 'G', 'T'].forEach((unit, power) => (UNITS[`${unit}I`] = 2 ** (10 * (power + 1))));

/** Bytes of `4GiB`, `500 MB` or `1073741824`; null: it is none of these. */
export function parseSize(text: string): number | null {
  const found = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?\s*$/i.exec(text);
  return found ? Math.floor(Number(found[1]) * UNITS[(found[2] ?? '').toUpperCase()]) : null;
}

/** A text that `parseSize` reads as the same number of bytes. */
export function exactSize(bytes: number): string {
  const short = sizeText(bytes);
  return parseSize(short) === bytes ? short : String(bytes);
}

/** `4 GiB`, `512 MiB`. */
export function sizeText(bytes: number): string {
  for (const [unit, power] of [
    ['TiB', 4],
    ['GiB', 3],
    ['MiB', 2],
    ['KiB', 1]
  ] as const) {
    const amount = bytes / 1024 ** power;
    if (amount >= 1) {
      return `${Number(amount.toPrecision(amount >= 100 ? 4 : 3))} ${unit}`;
    }
  }
  return `${bytes} B`;
}

/** `1.4 kB`. */
export function bytes(size: number): string {
  for (const [unit, factor] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3]
  ] as const) {
    if (size >= factor) {
      return `${(size / factor).toFixed(1)} ${unit}`;
    }
  }
  return `${size} B`;
}
