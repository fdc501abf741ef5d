/** Where the boxes of a picture of arrows stand: each one right of everything that leads to it. */
export interface IPlaced<T> {
  node: T;
  column: number;
  row: number;
}

/** Columns by the longest way to each node, rows in order; of a cycle each arrow counts once. */
export function layers<T extends { id: string }>(
  nodes: readonly T[],
  edges: readonly (readonly [string, string])[]
): IPlaced<T>[] {
  const column = new Map(nodes.map(node => [node.id, 0]));
  for (let round = 0; round < nodes.length; round++) {
    let moved = false;
    for (const [from, to] of edges) {
      const next = (column.get(from) ?? 0) + 1;
      if (column.has(from) && column.has(to) && column.get(to)! < next && next < nodes.length) {
        column.set(to, next);
        moved = true;
      }
    }
    if (!moved) {
      break;
    }
  }
  const rows = new Map<number, number>();
  return nodes.map(node => {
    const at = column.get(node.id)!;
    const row = rows.get(at) ?? 0;
    rows.set(at, row + 1);
    return { node, column: at, row };
  });
}
