/** What a new target is asked for: which fields matter where, what is wrong with them, what is sent. */
import { TranslationBundle } from '@jupyterlab/translation';

import type { TargetDefinition } from '../api';
import { parseSize } from '../components/size';
import { parse } from '../jobs/parameters';
import { ruleError, scheduleOf, type IRule } from './schedules';

/** What can be created, and what is there already and can be attached. */
export type Choice = 'cluster' | 'instance' | 'machine' | 'scheduler';
export const CREATED: readonly Choice[] = ['instance', 'cluster'];
export const ATTACHED: readonly Choice[] = ['machine', 'scheduler'];

export type Place = 'local' | 'ssh' | 'container' | 'slurm';

const PLACES: Record<Choice, readonly Place[]> = {
  cluster: ['local', 'ssh', 'slurm'],
  instance: ['local', 'ssh', 'container', 'slurm'],
  machine: ['ssh'],
  scheduler: []
};

/** Where it can be; one or none is no choice. */
export function placesOf(choice: Choice): readonly Place[] {
  return PLACES[choice];
}

const TEXTS = [
  'name',
  'on',
  'host',
  'hosts',
  'proxy_jump',
  'identity_file',
  'image',
  'scheduler',
  'certificates',
  'partition',
  'account',
  'walltime',
  'directives',
  'interface',
  'memory'
] as const;
const INTEGERS = ['cpus', 'gpus', 'min_nodes', 'max_nodes'] as const;
const NUMBERS = ['idle_seconds_before_scale_down', 'idle_minutes_before_shutdown'] as const;
const NEEDED: readonly string[] = ['name', 'on', 'host', 'hosts', 'scheduler', 'min_nodes'];

export type TextField =
  (typeof TEXTS)[number] | (typeof INTEGERS)[number] | (typeof NUMBERS)[number];
export type Field = TextField | 'schedules';
export type Values = Record<TextField, string> & { on: Place; schedules: readonly IRule[] };
export type Errors = Partial<Record<string, string>>;

export const EMPTY: Values = {
  ...(Object.fromEntries([...TEXTS, ...INTEGERS, ...NUMBERS].map(field => [field, ''])) as Record<
    TextField,
    string
  >),
  on: 'local',
  min_nodes: '0',
  max_nodes: '4',
  idle_seconds_before_scale_down: '120',
  schedules: []
};

/** The fields that matter, in order: shown at once, and folded. */
export function fieldsOf(choice: Choice, on: Place): { main: Field[]; advanced: Field[] } {
  const ssh: Field[] = ['identity_file', 'proxy_jump'];
  const slurm: Field[] = on === 'slurm' ? ['account', 'directives', 'interface'] : [];
  switch (choice) {
    case 'cluster':
      return {
        main: [
          ...(on === 'slurm' ? (['partition', 'walltime'] as const) : []),
          ...(on === 'ssh' ? (['hosts'] as const) : []),
          'min_nodes',
          'max_nodes'
        ],
        advanced: [
          ...(on === 'ssh' ? ssh : []),
          'cpus',
          'memory',
          'gpus',
          'idle_seconds_before_scale_down',
          ...slurm
        ]
      };
    case 'instance': {
      const where: Record<Place, Field[]> = {
        local: [],
        ssh: ['host'],
        container: ['image'],
        slurm: ['partition', 'walltime']
      };
      return {
        main: [...where[on], 'cpus', 'memory'],
        advanced: [
          ...(on === 'ssh' ? ssh : []),
          ...slurm,
          'gpus',
          'idle_minutes_before_shutdown',
          'schedules'
        ]
      };
    }
    case 'machine':
      return { main: ['host'], advanced: [...ssh, 'cpus'] };
    case 'scheduler':
      return { main: ['scheduler', 'certificates'], advanced: ['cpus'] };
  }
}

function shown(choice: Choice, on: Place): Field[] {
  const { main, advanced } = fieldsOf(choice, on);
  return ['name', ...main, ...advanced];
}

/** Are hosts asked for, whose keys have to be confirmed? */
export function hasHosts(choice: Choice, on: Place): boolean {
  return shown(choice, on).some(field => field === 'host' || field === 'hosts');
}

/** The hosts that were named. */
export function hostsOf(choice: Choice, values: Values): string[] {
  if (!hasHosts(choice, values.on)) {
    return [];
  }
  return words(choice === 'cluster' ? values.hosts : values.host);
}

function words(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

/** What can be seen to be wrong without asking the hub. */
export function check(choice: Choice, values: Values, trans: TranslationBundle): Errors {
  const errors: Errors = {};
  for (const field of shown(choice, values.on)) {
    if (field === 'schedules') {
      values.schedules.forEach((rule, at) => {
        const error = ruleError(rule, trans);
        if (error) {
          errors[`schedules.${at}`] = error;
        }
      });
      continue;
    }
    const text = values[field].trim();
    const error = text ? wrong(field, text, trans) : null;
    if (error) {
      errors[field] = error;
    } else if (!text && isNeeded(field, values.on)) {
      errors[field] = trans.__('needed');
    }
  }
  if (choice === 'cluster' && !errors.min_nodes && !errors.max_nodes) {
    const hosts = hostsOf(choice, values).length || Infinity;
    const least = Number(values.min_nodes);
    const most = values.max_nodes.trim() ? Number(values.max_nodes) : Infinity;
    if (most < least) {
      errors.max_nodes = trans.__('not less than the minimum');
    } else if (least > hosts || (most > hosts && most < Infinity)) {
      errors[least > hosts ? 'min_nodes' : 'max_nodes'] = trans.__('there are fewer hosts');
    }
  }
  return errors;
}

/** A pool of hosts has a most of its own: one node on each. */
function isNeeded(field: TextField, on: Place): boolean {
  return NEEDED.includes(field) || (field === 'max_nodes' && on !== 'ssh');
}

/** Bytes; the hub takes no less. */
const MEMORY_LEAST = 2 ** 20;

function wrong(field: TextField, text: string, trans: TranslationBundle): string | null {
  if (includes(INTEGERS, field) || includes(NUMBERS, field)) {
    const parsed = parse(includes(INTEGERS, field) ? 'int' : 'float', text, trans);
    if ('error' in parsed) {
      return parsed.error;
    }
    const least = field === 'cpus' ? 1 : 0;
    return Number(text) < least ? trans.__('not less than %1', least) : null;
  }
  switch (field) {
    case 'name':
      return /^[a-z][a-z0-9-]{2,23}$/i.test(text)
        ? null
        : trans.__('3 to 24 letters, digits and hyphens, a letter first');
    case 'memory':
      return (parseSize(text) ?? 0) < MEMORY_LEAST ? trans.__('a size, like 4 GiB') : null;
    case 'scheduler':
      return /^(tls|tcp):\/\/\S+:\d+$/.test(text)
        ? null
        : trans.__('an address, like tls://host:8786');
    case 'host':
      return /\s/.test(text) ? trans.__('[user@]host[:port], without blanks') : null;
    case 'hosts':
      return new Set(words(text)).size < words(text).length
        ? trans.__('a host is named twice')
        : null;
    case 'walltime':
      return /^(\d+-)?\d+(:\d{1,2}){0,2}$/.test(text)
        ? null
        : trans.__('a time, like 08:00:00 or 2-12:00:00');
    default:
      return null;
  }
}

/** What is sent, of values with nothing wrong: fields that do not matter are left out. */
export function definitionOf(
  choice: Choice,
  values: Values,
  keys: readonly string[] = []
): TargetDefinition {
  const found: Record<string, unknown> = {
    kind: choice === 'cluster' || choice === 'instance' ? choice : 'attached',
    ...(placesOf(choice).length > 1 && { on: values.on }),
    ...(keys.length && (choice === 'cluster' ? { host_keys: keys } : { host_key: keys[0] }))
  };
  for (const field of shown(choice, values.on)) {
    if (field === 'schedules') {
      if (values.schedules.length) {
        found.schedules = values.schedules.map(scheduleOf);
      }
      continue;
    }
    const text = values[field].trim();
    if (!text) {
      continue;
    }
    if (field === 'memory') {
      found.memory = parseSize(text);
    } else if (field === 'hosts') {
      found.hosts = words(text);
    } else if (field === 'directives') {
      found.directives = text
        .split('\n')
        .map(line => line.trim())
        .filter(Boolean);
    } else {
      found[field] = includes(INTEGERS, field) || includes(NUMBERS, field) ? Number(text) : text;
    }
  }
  return found as TargetDefinition;
}

const HOST_FIELDS = ['host', 'hosts', 'host_key', 'host_keys'];

/** The field that the hub means by `body.instance.schedules.0.cron`; null: none that is shown. */
export function fieldAtFault(path: string | null, choice: Choice, on: Place): string | null {
  const known: string[] = [...shown(choice, on), 'on'];
  const hosts = known.includes('hosts') ? 'hosts' : 'host';
  const parts = path?.split('.').map(part => (HOST_FIELDS.includes(part) ? hosts : part)) ?? [];
  const at = parts.findIndex(part => known.includes(part));
  if (at < 0) {
    return null;
  }
  return parts[at] === 'schedules' && /^\d+$/.test(parts[at + 1] ?? '')
    ? `schedules.${parts[at + 1]}`
    : parts[at];
}

/** `train`, or `train-2` where that is taken. */
export function freeName(choice: Choice, isTaken: (name: string) => boolean): string {
  const stem = { cluster: 'train', instance: 'box', machine: 'machine', scheduler: 'dask' }[choice];
  let name = stem;
  for (let number = 2; isTaken(name); number++) {
    name = `${stem}-${number}`;
  }
  return name;
}

function includes<T extends string>(fields: readonly T[], field: string): field is T {
  return (fields as readonly string[]).includes(field);
}
