import { nullTranslator } from '@jupyterlab/translation';

import type { Job, NotebookParameter } from '../api';
import { matches } from '../jobs/filter';
import { bytes, duration, figure, summary } from '../jobs/format';
import { changedValues, initialText, parse } from '../jobs/parameters';

const trans = nullTranslator.load('perijove');
const parameter = (name: string, type: string, value: unknown): NotebookParameter => ({
  name,
  type,
  default: value as NotebookParameter['default'],
  source: String(value),
  help: ''
});

describe('parameters', () => {
  it.each([
    ['int', '8', 8],
    ['int', ' -3 ', -3],
    ['float', '0.05', 0.05],
    ['float', '1e-3', 0.001],
    ['bool', 'true', true],
    ['str', ' as it is ', ' as it is '],
    ['list', '[1, 2]', [1, 2]],
    ['dict', '{"a": 1}', { a: 1 }],
    ['None', 'None', null],
    ['None', '[1]', [1]],
    ['None', 'plain', 'plain']
  ])('%s %s', (type, text, value) => {
    expect(parse(type, text, trans)).toEqual({ value });
  });

  it.each([
    ['int', 'eight'],
    ['int', '1.5'],
    ['int', ''],
    ['int', '99999999999999999999'],
    ['float', 'NaN'],
    ['float', ''],
    ['bool', 'yes'],
    ['list', '{}'],
    ['dict', '[']
  ])('refuses %s %s', (type, text) => {
    expect(parse(type, text, trans)).toHaveProperty('error');
  });

  it('sends what differs', () => {
    const known = [parameter('lr', 'float', 0.1), parameter('depth', 'int', 8)];
    const texts = { lr: '0.1', depth: '9' };
    expect(changedValues(known, texts, trans)).toEqual({ values: { depth: 9 }, errors: {} });
    expect(initialText(known[0], 0.5)).toBe('0.5');
  });
});

describe('format', () => {
  it('says durations in few words', () => {
    expect([0.42, 12, 134, 3900].map(duration)).toEqual(['0.4 s', '12 s', '2 m 14 s', '1 h 05 m']);
    expect([12, 1400, 5e6].map(bytes)).toEqual(['12 B', '1.4 kB', '5.0 MB']);
    expect([0.90412, 1234567, 0.00001].map(figure)).toEqual(['0.9041', '1.23e+6', '1.00e-5']);
  });

  it('summarises and filters', () => {
    const job = {
      id: 'abc',
      name: 'train',
      state: 'running',
      compute: 'local',
      experiment: 'churn',
      tags: { team: 'x' },
      progress: { done: 6, total: 12 },
      started_at: '2026-01-01T00:00:00Z'
    } as unknown as Job;
    const now = Date.parse('2026-01-01T00:02:14Z');
    expect(summary(job, trans, now)).toBe('cell 7 of 12 · 2 m 14 s · local');
    expect(matches(job, 'churn RUN')).toBe(true);
    expect(matches(job, 'team=x')).toBe(true);
    expect(matches(job, 'other')).toBe(false);
  });
});
