import { nullTranslator } from '@jupyterlab/translation';

import {
  check,
  definitionOf,
  EMPTY,
  fieldAtFault,
  fieldsOf,
  freeName,
  hasHosts,
  hostsOf,
  placesOf,
  type Choice,
  type Values
} from '../compute/definition';
import { cronOf, ruleError, scheduleText, WEEKDAYS } from '../compute/schedules';

const trans = nullTranslator.load('perijove');
const values = (more: Partial<Values> = {}): Values => ({ ...EMPTY, name: 'box', ...more });
const weekdays = { action: 'stop' as const, time: '19:00', days: WEEKDAYS };

describe('what is asked for', () => {
  it('is what matters where it is to be', () => {
    expect(placesOf('instance')).toEqual(['local', 'ssh', 'container', 'slurm']);
    expect(fieldsOf('instance', 'ssh').main).toContain('host');
    expect(fieldsOf('instance', 'local').main).not.toContain('host');
    expect(fieldsOf('instance', 'slurm').main).toContain('partition');
    expect(hasHosts('machine', 'ssh')).toBe(true);
    expect(hasHosts('instance', 'container')).toBe(false);
    expect(placesOf('cluster')).toEqual(['local', 'ssh', 'slurm']);
    expect(fieldsOf('cluster', 'ssh').main).toEqual(['hosts', 'min_nodes', 'max_nodes']);
    expect(fieldsOf('cluster', 'ssh').advanced).toContain('identity_file');
    expect(fieldsOf('cluster', 'local').advanced).not.toContain('identity_file');
    expect(hasHosts('cluster', 'ssh')).toBe(true);
    expect(hasHosts('cluster', 'slurm')).toBe(false);
  });

  it.each<[Choice, Partial<Values>, string]>([
    ['instance', { name: '1box' }, 'name'],
    ['instance', { on: 'ssh' }, 'host'],
    ['instance', { on: 'ssh', host: 'a b' }, 'host'],
    ['instance', { memory: 'much' }, 'memory'],
    ['instance', { memory: '4' }, 'memory'],
    ['instance', { cpus: '0' }, 'cpus'],
    ['instance', { cpus: '1.5' }, 'cpus'],
    ['instance', { on: 'slurm', walltime: 'long' }, 'walltime'],
    ['instance', { schedules: [{ ...weekdays, time: '25:00' }] }, 'schedules.0'],
    ['cluster', { min_nodes: '5', max_nodes: '4' }, 'max_nodes'],
    ['cluster', { max_nodes: '' }, 'max_nodes'],
    ['cluster', { on: 'ssh' }, 'hosts'],
    ['cluster', { on: 'ssh', hosts: 'a b\na', max_nodes: '' }, 'hosts'],
    ['cluster', { on: 'ssh', hosts: 'a b', max_nodes: '3' }, 'max_nodes'],
    ['cluster', { on: 'ssh', hosts: 'a b', min_nodes: '3', max_nodes: '' }, 'min_nodes'],
    ['scheduler', {}, 'scheduler'],
    ['scheduler', { scheduler: 'host:8786' }, 'scheduler']
  ])('%s %j is refused at %s', (choice, more, field) => {
    expect(Object.keys(check(choice, values(more), trans))).toEqual([field]);
  });

  it('is sent without what does not matter', () => {
    const typed = {
      host: 'old',
      image: 'old',
      partition: 'old',
      idle_minutes_before_shutdown: '60'
    };
    const local = values({ ...typed, cpus: '2', memory: '4 GiB', schedules: [weekdays] });
    expect(check('instance', local, trans)).toEqual({});
    expect(definitionOf('instance', local)).toEqual({
      kind: 'instance',
      on: 'local',
      name: 'box',
      cpus: 2,
      memory: 2 ** 32,
      idle_minutes_before_shutdown: 60,
      schedules: [expect.objectContaining({ action: 'stop', cron: '0 19 * * mon-fri' })]
    });
    expect(definitionOf('machine', values({ host: ' me@gpu:22 ' }), ['ssh-ed25519 AAAA'])).toEqual({
      kind: 'attached',
      name: 'box',
      host: 'me@gpu:22',
      host_key: 'ssh-ed25519 AAAA'
    });
    const slurm = values({ on: 'slurm', partition: 'gpu', directives: '--constraint=x\n\n -N2 ' });
    expect(definitionOf('cluster', slurm)).toMatchObject({
      kind: 'cluster',
      on: 'slurm',
      partition: 'gpu',
      directives: ['--constraint=x', '-N2'],
      min_nodes: 0
    });
    expect(definitionOf('scheduler', values({ scheduler: 'tls://h:8786' }))).toEqual({
      kind: 'attached',
      name: 'box',
      scheduler: 'tls://h:8786'
    });
  });

  it('names the hosts of a pool with their keys, in the same order', () => {
    const typed = { hosts: 'me@a\n b:22, [::1]:23\n', max_nodes: '', identity_file: '~/.ssh/k' };
    const pool = values({ on: 'ssh', ...typed });
    expect(check('cluster', pool, trans)).toEqual({});
    expect(hostsOf('cluster', pool)).toEqual(['me@a', 'b:22', '[::1]:23']);
    expect(hostsOf('cluster', { ...pool, on: 'local' })).toEqual([]);
    expect(definitionOf('cluster', pool, ['A', 'B', 'C'])).toEqual({
      kind: 'cluster',
      on: 'ssh',
      name: 'box',
      hosts: ['me@a', 'b:22', '[::1]:23'],
      host_keys: ['A', 'B', 'C'],
      identity_file: '~/.ssh/k',
      min_nodes: 0,
      idle_seconds_before_scale_down: 120
    });
  });

  it('finds the field that the hub names', () => {
    expect(fieldAtFault('body.cluster.host_keys', 'cluster', 'ssh')).toBe('hosts');
    expect(fieldAtFault('host', 'cluster', 'ssh')).toBe('hosts');
    expect(fieldAtFault('host_key', 'machine', 'ssh')).toBe('host');
    expect(fieldAtFault('body.instance.cpus', 'instance', 'local')).toBe('cpus');
    expect(fieldAtFault('schedules.1.cron', 'instance', 'local')).toBe('schedules.1');
    expect(fieldAtFault('body.instance', 'instance', 'local')).toBeNull();
    expect(fieldAtFault('host', 'instance', 'local')).toBeNull();
    expect(fieldAtFault(null, 'instance', 'local')).toBeNull();
  });

  it('proposes a name that is free', () => {
    expect(freeName('instance', name => ['box', 'box-2'].includes(name))).toBe('box-3');
  });
});

describe('schedules', () => {
  const days = (...on: number[]) => WEEKDAYS.map((_, day) => on.includes(day));

  it.each([
    [WEEKDAYS, '0 19 * * mon-fri'],
    [days(0, 1, 2, 3, 4, 5, 6), '0 19 * * *'],
    [days(0, 2), '0 19 * * mon,wed'],
    [days(0, 1, 3, 4, 5, 6), '0 19 * * mon,tue,thu-sun']
  ])('as cron texts: %j', (chosen, cron) => {
    expect(cronOf({ ...weekdays, days: chosen })).toBe(cron);
  });

  it('must have a time and a day', () => {
    expect(ruleError(weekdays, trans)).toBeNull();
    expect(ruleError({ ...weekdays, time: '7' }, trans)).toBe('a time, like 19:00');
    expect(ruleError({ ...weekdays, days: days() }, trans)).toBe('choose a day');
  });

  it('are said in words', () => {
    const stop = { action: 'stop', cron: '5 19 * * mon-fri', timezone: 'Europe/Berlin' } as const;
    expect(scheduleText(stop, trans)).toBe('stop at 19:05, mon-fri (Europe/Berlin)');
    expect(scheduleText({ action: 'start', cron: '0 8 1 * *' }, trans)).toBe('start at 0 8 1 * *');
  });
});
