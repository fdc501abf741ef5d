/** nbdime's difference of two notebooks as pairs of cells, and lines within them. */

export interface ICellPair {
  left: ICell | null;
  right: ICell | null;
  /** Does the source differ? */
  changed: boolean;
  /** Do the outputs differ? */
  outputs: boolean;
}

export interface ICell {
  type: string;
  source: string;
}

export interface ILinePair {
  left: string | null;
  right: string | null;
}

/** An operation of nbdime's format. */
interface IOperation {
  op: string;
  key: string | number;
  length?: number;
  valuelist?: unknown[];
  diff?: IOperation[];
}

/** Cells of both notebooks, those that correspond beside each other. */
export function pairCells(left: object, right: object, diff: readonly object[]): ICellPair[] {
  const [before, after] = [cellsOf(left), cellsOf(right)];
  const operations = (diff as IOperation[]).find(({ key }) => key === 'cells')?.diff ?? [];
  const added = new Map<number, number>();
  const removed = new Set<number>();
  const patched = new Map<number, IOperation[]>();
  for (const { op, key, length = 1, valuelist = [], diff: inner = [] } of operations) {
    const at = Number(key);
    if (op === 'addrange') {
      added.set(at, (added.get(at) ?? 0) + valuelist.length);
    } else if (op === 'removerange') {
      Array.from({ length }, (_, index) => removed.add(at + index));
    } else if (op === 'patch') {
      patched.set(at, inner);
    }
  }
  const pairs: ICellPair[] = [];
  let place = 0;
  for (let at = 0; at <= before.length; at++) {
    for (let count = added.get(at) ?? 0; count > 0; count--) {
      pairs.push({ left: null, right: after[place++] ?? null, changed: true, outputs: false });
    }
    if (at === before.length) {
      break;
    }
    if (removed.has(at)) {
      pairs.push({ left: before[at], right: null, changed: true, outputs: false });
    } else {
      const inner = patched.get(at) ?? [];
      pairs.push({
        left: before[at],
        right: after[place++] ?? null,
        changed: inner.some(({ key }) => key === 'source'),
        outputs: inner.some(({ key }) => key === 'outputs')
      });
    }
  }
  return pairs;
}

/** Lines of two texts, equal ones beside each other (longest common subsequence). */
export function pairLines(left: string, right: string): ILinePair[] {
  const [a, b] = [left.split('\n'), right.split('\n')];
  const common = Array.from({ length: a.length + 1 }, () => new Int32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i][j] =
        a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const pairs: ILinePair[] = [];
  let [i, j] = [0, 0];
  let gap: { left: string[]; right: string[] } = { left: [], right: [] };
  const close = () => {
    const length = Math.max(gap.left.length, gap.right.length);
    for (let at = 0; at < length; at++) {
      pairs.push({ left: gap.left[at] ?? null, right: gap.right[at] ?? null });
    }
    gap = { left: [], right: [] };
  };
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      close();
      pairs.push({ left: a[i++], right: b[j++] });
    } else if (j >= b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1])) {
      gap.left.push(a[i++]);
    } else {
      gap.right.push(b[j++]);
    }
  }
  close();
  return pairs;
}

function cellsOf(notebook: object): ICell[] {
  const { cells = [] } = notebook as { cells?: { cell_type: string; source: unknown }[] };
  return cells.map(({ cell_type, source }) => ({
    type: cell_type,
    source: Array.isArray(source) ? source.join('') : String(source ?? '')
  }));
}
