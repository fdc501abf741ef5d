/** The experiments as MLflow last told them, and the verbs on them. */
import { ServerConnection } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';

import {
  EventStream,
  Listing,
  request,
  type Experiment,
  type ExperimentChange,
  type RunColumn,
  type RunsView,
  type TrackingChange
} from '../api';

/** Milliseconds from a change until the list is read again: each run changes it. */
const PAUSE = 1000;

/** Those used last first; deleted ones too while `showAll` is set. */
export class ExperimentManager extends Listing<Experiment> {
  constructor(settings: ServerConnection.ISettings, stream: EventStream) {
    super(settings, stream, PAUSE);
  }

  get(experimentId: string): Experiment | undefined {
    return this.items.find(({ id }) => id === experimentId);
  }

  create(name: string, description?: string): Promise<Experiment> {
    return this._told(
      this._send('POST', 'experiments', { name, description: description || null })
    );
  }

  change(experimentId: string, change: ExperimentChange): Promise<Experiment> {
    return this._told(this._send('PATCH', `experiments/${experimentId}`, change));
  }

  delete(experimentId: string): Promise<Experiment> {
    return this._told(this._send('POST', `experiments/${experimentId}/delete`, {}));
  }

  restore(experimentId: string): Promise<Experiment> {
    return this._told(this._send('POST', `experiments/${experimentId}/restore`, {}));
  }

  /** One that may not be in the list. */
  read(experimentId: string): Promise<Experiment> {
    return request(this.settings, `experiments/${experimentId}`);
  }

  columns(experimentIds: string[]): Promise<RunColumn[]> {
    const query = new URLSearchParams(experimentIds.map(id => ['experiment_id', id]));
    return request(this.settings, `experiments/columns?${query}`);
  }

  views(experimentId: string): Promise<RunsView[]> {
    return request(this.settings, `experiments/${experimentId}/views`);
  }

  saveView(experimentId: string, view: RunsView): Promise<RunsView[]> {
    return this._send('POST', `experiments/${experimentId}/views`, view);
  }

  renameView(experimentId: string, name: string, wanted: string): Promise<RunsView[]> {
    const query = new URLSearchParams({ name });
    return this._send('POST', `experiments/${experimentId}/views/rename?${query}`, {
      name: wanted
    });
  }

  deleteView(experimentId: string, name: string): Promise<RunsView[]> {
    const query = new URLSearchParams({ name });
    return this._send('POST', `experiments/${experimentId}/views/delete?${query}`, {});
  }

  protected ask(): Promise<Experiment[]> {
    return request(this.settings, `experiments?view=${this.showAll ? 'all' : 'active'}`);
  }

  /** Something was changed, by whomever. */
  get touched(): ISignal<this, TrackingChange> {
    return this._touched;
  }

  protected onTracking(change: TrackingChange): void {
    const { experiments = [], runs = [], everything } = change;
    if (everything || experiments.length || runs.length) {
      this.outdated();
    }
    this._touched.emit(change);
  }

  private _send<T>(method: string, route: string, body: unknown): Promise<T> {
    return request<T>(this.settings, route, { method, body: JSON.stringify(body) });
  }

  /** What was answered is shown at once; the stream brings the rest. */
  private async _told(answer: Promise<Experiment>): Promise<Experiment> {
    const told = await answer;
    const others = this.items.filter(({ id }) => id !== told.id);
    const isShown = this.showAll || told.lifecycle_stage === 'active';
    this.show(isShown ? [told, ...others] : others);
    return told;
  }

  private _touched = new Signal<this, TrackingChange>(this);
}
