/** The courses of a metric that are drawn in small. */
import { toNumber } from './columns';
import type { RunManager } from './manager';

/** Points of a small line, and runs that one request may ask for. */
const POINTS = 40;
const RUNS = 50;
/** Milliseconds: who scrolls passes many. */
const PAUSE = 120;

export class Sparks {
  /** `onFound`: something new was read. */
  constructor(
    private readonly _manager: RunManager,
    private readonly _onFound: () => void
  ) {}

  /** The course, as far as it is known. */
  get(runId: string, metric: string | null): readonly number[] | undefined {
    return this._known.get(`${runId} ${metric}`)?.values;
  }

  /** These runs may have new points: they are read anew when they are seen. */
  age(runIds: Iterable<string>, metric: string | null): void {
    for (const id of runIds) {
      const known = this._known.get(`${id} ${metric}`);
      if (known) {
        known.stale = true;
      }
    }
  }

  /** Had none of the runs that were seen more than one point of it? */
  isFlat(metric: string): boolean {
    return this._flat.has(metric);
  }

  /** Soon read what is missing or old of the metric of these runs. */
  see(metric: string | null, runIds: () => readonly string[]): void {
    clearTimeout(this._timer);
    if (metric !== null) {
      this._timer = setTimeout(async () => {
        if (await this.fetch(runIds(), metric)) {
          this._onFound();
        }
      }, PAUSE);
    }
  }

  dispose(): void {
    clearTimeout(this._timer);
  }

  /** Read what is missing or old. Was there something new? */
  async fetch(runIds: readonly string[], metric: string): Promise<boolean> {
    const wanted = runIds.filter(id => this._known.get(`${id} ${metric}`)?.stale !== false);
    if (!wanted.length) {
      return false;
    }
    try {
      const found = await this._manager.history({
        run_ids: wanted.slice(0, RUNS),
        keys: [metric],
        max_points: POINTS
      });
      this._flat.add(metric);
      for (const { run_id, series } of found) {
        const values = (series[0]?.values ?? []).map(toNumber).filter(Number.isFinite);
        this._known.set(`${run_id} ${metric}`, { values, stale: false });
        if (values.length > 1) {
          this._flat.delete(metric);
        }
      }
      return true;
    } catch {
      // the table is as good without them
      return false;
    }
  }

  private _flat = new Set<string>();
  private _known = new Map<string, { values: number[]; stale: boolean }>();
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
