/** How compute targets are put into few words. */
import { TranslationBundle } from '@jupyterlab/translation';

import type { Target, TargetNode } from '../api';
import type { Tone } from '../components/state';
import { isChanging, isManaged, isOff } from './manager';

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
  return isChanging(target) || target.target_nodes !== target.current_nodes ? 'running' : 'ok';
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

/** `cluster · local`, beside the name; nothing for this machine itself. */
export function kindText(target: Target, trans: TranslationBundle): string {
  switch (target.kind) {
    case 'cluster':
      return trans.__('cluster · %1', target.on);
    case 'instance':
      return trans.__('instance · %1', target.on);
    case 'attached':
      return trans.__('attached · %1', target.on);
    default:
      return '';
  }
}

/** How full it is, for choosing one: `3 of 8 busy, 5 queued`, `stopped`. */
export function occupancy(target: Target, trans: TranslationBundle): string {
  const parts = [
    target.state !== 'running'
      ? stateText(target, trans)
      : isManaged(target)
        ? trans.__('%1 of %2 nodes busy', target.busy_nodes, target.max_nodes)
        : trans.__('%1 of %2 busy', target.running_jobs, target.slots)
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

/** The second line of a row. */
export function summary(target: Target, trans: TranslationBundle): string {
  const parts: string[] = [];
  if (!isManaged(target)) {
    parts.push(trans._n('%1 slot', '%1 slots', target.slots));
    parts.push(trans.__('%1 busy', target.running_jobs));
  } else if (target.state !== 'running') {
    parts.push(stateText(target, trans));
    parts.push(target.message ?? '');
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
