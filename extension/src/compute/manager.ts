/** The compute targets as the server last told them, and the verbs on them. */
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import {
  request,
  type EventStream,
  type HostKey,
  type Target,
  type TargetDefinition,
  type TargetEvent,
  type TargetLimits,
  type TargetNode,
  type TargetState,
  type UsageSample
} from '../api';
import { requestText } from '../api/request';

const CHANGING = new Set<TargetState>([
  'creating',
  'starting',
  'restarting',
  'stopping',
  'deleting'
]);

/** Is something being done to it that takes a while? */
export function isChanging(target: Target): boolean {
  return CHANGING.has(target.state);
}

export type Verb = 'start' | 'stop' | 'restart' | 'scale' | 'delete';

/** Can it be created, stopped and deleted? This machine itself cannot. */
export function isManaged(target: Target): boolean {
  return target.kind !== 'local';
}

/** Is it not meant to run, so that it may be started? What is out of reach only is meant to. */
export function isOff(target: Target): boolean {
  return target.state === 'stopped' || target.state === 'failed';
}

/** Is it one machine, and no group of nodes? */
export function isMachine(target: Target): boolean {
  return target.kind === 'instance' || (target.kind === 'attached' && target.on === 'ssh');
}

/** Has it nodes, or do some come? */
export function hasNodes(target: Target): boolean {
  return target.current_nodes > 0 || target.target_nodes > 0;
}

/** The stop that is announced: when, in milliseconds, and why. */
export function comingStop(target: Target): { at: number; reason: string } | null {
  const { shutdown_at: at, shutdown_reason: reason } = target.properties ?? {};
  return typeof at === 'string' ? { at: Date.parse(at), reason: String(reason ?? '') } : null;
}

/** Kernels that run on it. */
export function kernelsOn(target: Target): number {
  const { kernels } = target.properties ?? {};
  return Array.isArray(kernels) ? kernels.length : 0;
}

/** What is being done to it while it comes up, in the hub's words. */
export function currentStep(target: Target): string {
  const { step } = target.properties ?? {};
  return target.message || (typeof step === 'string' ? step : '');
}

export class ComputeManager implements IDisposable {
  constructor(
    readonly settings: ServerConnection.ISettings,
    stream: EventStream
  ) {
    stream.compute.connect(this._onCompute, this);
  }

  /** Something of the list changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A target that was seen well has failed. */
  get failed(): ISignal<this, Target> {
    return this._failed;
  }

  /** This machine first, then by name; the same array until something changes. */
  get targets(): readonly Target[] {
    return this._targets;
  }

  /** Has the server told its targets yet? */
  get isReady(): boolean {
    return this._ready;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** The target of this name; names differ by more than case. */
  get(name: string): Target | undefined {
    const wanted = name.toLowerCase();
    return this._targets.find(target => target.name.toLowerCase() === wanted);
  }

  /** May this be done to the target now? */
  allows(verb: Verb, target: Target): boolean {
    if (!isManaged(target) || isChanging(target)) {
      return false;
    }
    switch (verb) {
      case 'start':
        return isOff(target);
      case 'stop':
        return target.state !== 'stopped';
      case 'restart':
        return target.state === 'running' || target.state === 'unusable';
      case 'scale':
        return target.kind === 'cluster';
      case 'delete':
        return true;
    }
  }

  // What verbs answer is not taken into the list: the stream tells of it too, and in order.

  /** Make it, or attach what is there; answers when it is up. */
  create(definition: TargetDefinition): Promise<Target> {
    return this._post('compute', definition);
  }

  /** The key that a machine shows over SSH now, for a person to compare. */
  hostKey(
    host: string,
    proxyJump: string | null = null,
    identityFile: string | null = null
  ): Promise<HostKey> {
    const way = { proxy_jump: proxyJump, identity_file: identityFile };
    return this._post('host-keys', { host, ...way });
  }

  start(name: string): Promise<Target> {
    return this._verb(name, 'start', {});
  }

  /** `force` cancels the jobs that run on it. */
  stop(name: string, force = false): Promise<Target> {
    return this._verb(name, 'stop', { force });
  }

  restart(name: string, force = false): Promise<Target> {
    return this._verb(name, 'restart', { force });
  }

  scale(name: string, limits: TargetLimits): Promise<Target> {
    return this._verb(name, 'scale', limits);
  }

  /** `force` cancels all of its jobs. */
  delete(name: string, force = false): Promise<unknown> {
    return this._verb(name, 'delete', { force });
  }

  nodes(name: string): Promise<TargetNode[]> {
    return request(this.settings, `compute/${encodeURIComponent(name)}/nodes`);
  }

  /** What its nodes have used in the last minutes, oldest first. */
  usage(name: string): Promise<UsageSample[]> {
    return request(this.settings, `compute/${encodeURIComponent(name)}/usage`);
  }

  /** What happened to it, oldest first. */
  events(name: string): Promise<TargetEvent[]> {
    return request(this.settings, `compute/${encodeURIComponent(name)}/events`);
  }

  /** Call off the stop that is announced. */
  keepRunning(name: string): Promise<Target> {
    return this._verb(name, 'keep-running', {});
  }

  log(name: string): Promise<string> {
    return requestText(this.settings, `compute/${encodeURIComponent(name)}/logs`);
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      Signal.clearData(this);
    }
  }

  private _verb<T>(name: string, verb: string, body: object): Promise<T> {
    return this._post(`compute/${encodeURIComponent(name)}/${verb}`, body);
  }

  private _post<T>(route: string, body: object): Promise<T> {
    return request(this.settings, route, { method: 'POST', body: JSON.stringify(body) });
  }

  private _onCompute(_: EventStream, targets: Target[]): void {
    const before = new Map(this._targets.map(target => [target.name, target.state]));
    this._targets = targets;
    this._ready = true;
    for (const target of targets) {
      const state = before.get(target.name);
      if (target.state === 'failed' && state !== undefined && state !== 'failed') {
        this._failed.emit(target);
      }
    }
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _disposed = false;
  private _failed = new Signal<this, Target>(this);
  private _ready = false;
  private _targets: readonly Target[] = [];
}
