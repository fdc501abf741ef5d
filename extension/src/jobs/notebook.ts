/**
 * The executing notebook, put together from a job's events. Applying an event twice, or the
 * events of a second attempt, gives what a reader expects: each number counts once, a new attempt
 * begins anew.
 */
import type { IOutput } from '@jupyterlab/nbformat';

import type { JobEvent } from '../api';

export type CellState = 'waiting' | 'running' | 'ok' | 'error';

export interface ICell {
  index: number;
  id: string;
  type: 'code' | 'markdown' | 'raw';
  source: string;
  tags: string[];
  state: CellState;
  executionCount: number | null;
  startedAt: number | null;
  duration: number | null;
  outputs: IOutput[];
  /** Display ids of the outputs, at the same places. */
  displayIds: (string | undefined)[];
  /** Changes with every change to the cell. */
  version: number;
}

export interface IPoint {
  step: number;
  value: number;
  timestamp: number;
}

export class NotebookModel {
  cells: ICell[] = [];
  language = 'python';
  metrics = new Map<string, IPoint[]>();
  log = '';
  attempt = 0;
  seq = 0;
  warm = false;

  /** The cell that runs now. */
  get current(): ICell | undefined {
    return this.cells.find(cell => cell.state === 'running');
  }

  /** Apply an event; returns the indices of cells that changed, or 'all'. */
  apply(event: JobEvent): number[] | 'all' {
    if (event.seq <= this.seq) {
      return [];
    }
    this.seq = event.seq;
    const data = event.data as Record<string, any>;
    const time = Date.parse(event.time);
    switch (event.type) {
      case 'attempt':
        this.attempt = event.attempt;
        this.warm = Boolean(data.warm);
        this.cells = [];
        return 'all';
      case 'notebook':
        this.language = data.metadata?.kernelspec?.language ?? 'python';
        this.cells = data.cells.map(newCell);
        return 'all';
      case 'cell_started':
        return this._change(data.index, cell => {
          cell.state = 'running';
          cell.startedAt = time;
          cell.outputs = [];
          cell.displayIds = [];
        });
      case 'output':
        this._logOutput(data.output);
        return this._change(data.index, cell => addOutput(cell, data.output, data.display_id));
      case 'output_cleared':
        return this._change(data.index, cell => {
          cell.outputs = [];
          cell.displayIds = [];
        });
      case 'output_updated':
        return this._update(data);
      case 'cell_finished':
        return this._change(data.index, cell => {
          cell.state = data.status === 'ok' ? 'ok' : 'error';
          cell.executionCount = data.execution_count ?? null;
          cell.duration = data.duration;
        });
      case 'metric':
        this.addPoint(data.key, data.value, data.step, data.timestamp);
        return [];
      case 'log':
        this.log += data.text;
        return [];
      case 'state':
        return this._ended(data.state);
      default:
        return [];
    }
  }

  /** Add a metric's point, unless it is there. */
  addPoint(key: string, value: unknown, step: number, timestamp: number): void {
    const points = this.metrics.get(key) ?? [];
    const last = points[points.length - 1];
    const point = { value: Number(value), step, timestamp };
    if (!last || step > last.step || (step === last.step && timestamp > last.timestamp)) {
      points.push(point);
    } else if (!points.some(p => p.step === step && p.timestamp === timestamp)) {
      points.push(point);
      points.sort((a, b) => a.step - b.step || a.timestamp - b.timestamp);
    }
    this.metrics.set(key, points);
  }

  private _change(index: number, change: (cell: ICell) => void): number[] {
    const cell = this.cells[index];
    if (!cell) {
      return [];
    }
    change(cell);
    cell.version++;
    return [index];
  }

  private _update(data: Record<string, any>): number[] {
    const changed: number[] = [];
    for (const cell of this.cells) {
      cell.displayIds.forEach((id, at) => {
        if (id && id === data.display_id) {
          cell.outputs[at] = {
            ...cell.outputs[at],
            data: data.data,
            metadata: data.metadata ?? {}
          };
          changed.push(...this._change(cell.index, () => undefined));
        }
      });
    }
    return changed;
  }

  /** A cell that ran when the job ended runs no more. */
  private _ended(state: string): number[] {
    if (!['succeeded', 'failed', 'canceled', 'queued'].includes(state)) {
      return [];
    }
    const running = this.cells.filter(cell => cell.state === 'running');
    return running.flatMap(cell => this._change(cell.index, c => (c.state = 'error')));
  }

  private _logOutput(output: Record<string, any>): void {
    if (output.output_type === 'stream') {
      this.log += text(output.text);
    } else if (output.output_type === 'error') {
      this.log += `${(output.traceback ?? []).join('\n')}\n`;
    } else if (output.data?.['text/plain']) {
      this.log += `${text(output.data['text/plain'])}\n`;
    }
  }
}

function newCell(data: Record<string, any>): ICell {
  return {
    index: data.index,
    id: data.id,
    type: data.cell_type,
    source: data.source,
    tags: data.metadata?.tags ?? [],
    state: 'waiting',
    executionCount: null,
    startedAt: null,
    duration: null,
    outputs: [],
    displayIds: [],
    version: 0
  };
}

/** Pieces of one stream are one output. */
function addOutput(cell: ICell, output: Record<string, any>, displayId?: string): void {
  const last = cell.outputs[cell.outputs.length - 1];
  if (
    output.output_type === 'stream' &&
    last?.output_type === 'stream' &&
    last.name === output.name
  ) {
    cell.outputs[cell.outputs.length - 1] = {
      ...last,
      text: text(last.text) + text(output.text)
    };
    return;
  }
  cell.outputs.push(output as IOutput);
  cell.displayIds[cell.outputs.length - 1] = displayId;
}

function text(value: unknown): string {
  return Array.isArray(value) ? value.join('') : String(value ?? '');
}
