/** How compute targets are put into few words. */
import { TranslationBundle } from '@jupyterlab/translation';

import type { Target, TargetNode } from '../api';
import { sizeText } from '../components/size';
import type { Tone } from '../components/state';
import {
  comingStop,
  currentStep,
  isChanging,
  isMachine,
  isManaged,
  isOff,
  kernelsOn
} from './manager';

/** A state in the user's words. */
export function stateText(target: Target, trans: TranslationBundle): string {
  switch (target.state) {
    case 'creating':
      return trans.__('creating');
    case 'running':
      return trans.__('running');
    case 'starting':
      return trans.__('starting');
    case 'restarting':
      return trans.__('restarting');
    case 'stopping':
      return trans.__('stopping');
    case 'stopped':
      return trans.__('stopped');
    case 'failed':
      return trans.__('failed');
    case 'unusable':
      return trans.__('unusable');
    case 'deleting':
      return trans.__('deleting');
  }
}

export function nodeStateText(node: TargetNode, trans: TranslationBundle): string {
  switch (node.state) {
    case 'preparing':
      return trans.__('preparing');
    case 'idle':
      return trans.__('idle');
    case 'running':
      return trans.__('running');
    case 'leaving':
      return trans.__('leaving');
    case 'unusable':
      return trans.__('unusable');
  }
}

/** Which of the five colours a target's state has: blue while something changes. */
export function tone(target: Target): Tone {
  if (target.state === 'failed' || target.state === 'unusable') {
    return 'error';
  }
  if (isOff(target)) {
    return 'waiting';
  }
  const isMoving = !isMachine(target) && target.target_nodes !== target.current_nodes;
  return isChanging(target) || isMoving ? 'running' : 'ok';
}

export function nodeTone(node: TargetNode): Tone {
  switch (node.state) {
    case 'unusable':
      return 'error';
    case 'idle':
      return 'ok';
    case 'running':
      return 'running';
    default:
      return 'waiting';
  }
}

/** A kind in the user's words. */
export function kindWord(target: Target, trans: TranslationBundle): string {
  switch (target.kind) {
    case 'local':
      return trans.__('this machine');
    case 'cluster':
      return trans.__('cluster');
    case 'instance':
      return trans.__('instance');
    case 'attached':
      return trans.__('attached');
    default:
      return target.kind;
  }
}

/** `cluster · local`, beside the name; nothing for this machine itself. */
export function kindText(target: Target, trans: TranslationBundle): string {
  return isManaged(target) ? [kindWord(target, trans), target.on].filter(Boolean).join(' · ') : '';
}

/** For choosing one: `cluster, 3 of 8 slots free, 5 queued`, `instance, stopped`. */
export function occupancy(target: Target, trans: TranslationBundle): string {
  const free = Math.max(0, target.slots - target.running_jobs);
  const parts = [
    kindWord(target, trans),
    target.state === 'running'
      ? trans.__('%1 of %2 slots free', free, target.slots)
      : stateText(target, trans)
  ];
  if (target.queued_jobs) {
    parts.push(trans.__('%1 queued', target.queued_jobs));
  }
  return parts.join(', ');
}

/** What it has cost to be on. */
export function nodeHours(target: Target, trans: TranslationBundle): string {
  return trans.__('%1 node-h', target.node_hours.toFixed(target.node_hours < 10 ? 2 : 1));
}

/** `box stops in 5 minutes: idle for 55 minutes`; null: no stop is announced. */
export function stopNotice(
  target: Target,
  trans: TranslationBundle,
  now = Date.now()
): string | null {
  const stop = comingStop(target);
  if (!stop) {
    return null;
  }
  const minutes = Math.ceil((stop.at - now) / 60_000);
  // it may wait for jobs to end
  const when =
    minutes > 0
      ? trans._n('%2 stops in %1 minute', '%2 stops in %1 minutes', minutes, target.name)
      : trans.__('%1 is due to stop', target.name);
  return stop.reason ? `${when}: ${stop.reason}` : when;
}

/** The second line of a row. */
export function summary(target: Target, trans: TranslationBundle): string {
  const parts: string[] = [];
  if (!isManaged(target)) {
    parts.push(trans._n('%1 slot', '%1 slots', target.slots));
    parts.push(trans.__('%1 busy', target.running_jobs));
  } else if (target.state !== 'running') {
    parts.push(stateText(target, trans));
    parts.push(currentStep(target));
  } else if (isMachine(target)) {
    const stop = comingStop(target);
    if (stop) {
      const minutes = Math.ceil((stop.at - Date.now()) / 60_000);
      parts.push(minutes > 0 ? trans.__('stops in %1 min', minutes) : trans.__('due to stop'));
    }
    const kernels = kernelsOn(target);
    const jobs = target.running_jobs;
    parts.push(jobs ? trans._n('%1 job', '%1 jobs', jobs) : '');
    parts.push(kernels ? trans._n('%1 kernel', '%1 kernels', kernels) : '');
    parts.push(jobs || kernels ? '' : trans.__('idle'));
  } else if (target.target_nodes > target.current_nodes) {
    parts.push(trans.__('%1 of %2 up', target.current_nodes, target.target_nodes));
  } else if (target.current_nodes) {
    parts.push(trans.__('%1 of %2 busy', target.busy_nodes, target.current_nodes));
  } else {
    parts.push(trans.__('no nodes up'));
  }
  if (target.queued_jobs) {
    parts.push(trans.__('%1 queued', target.queued_jobs));
  }
  if (isManaged(target) && target.node_hours >= 0.005) {
    parts.push(nodeHours(target, trans));
  }
  return parts.filter(Boolean).join(' · ');
}

export function percent(value: number): string {
  return `${Math.round(value)} %`;
}

/** What is used, of how much where that is limited: `6 / 23.5 GiB`. */
export function memoryText(used: number, room: number): string {
  const [amount, unit] = sizeText(used).split(' ');
  if (!room) {
    return `${amount} ${unit}`;
  }
  const all = sizeText(room);
  return `${all.endsWith(` ${unit}`) ? amount : `${amount} ${unit}`} / ${all}`;
}
