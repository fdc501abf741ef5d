import { nullTranslator } from '@jupyterlab/translation';

import type { Environment } from '../api';
import { describeEnvironment } from '../jobs/environments';

const trans = nullTranslator.load('perijove');

function environment(fields: Partial<Environment>): Environment {
  return {
    name: 'geo',
    display_name: 'geo',
    language: 'python',
    warm: true,
    ...fields
  } as Environment;
}

describe('environments in the form', () => {
  it.each([
    [{ kind: 'kernelspec', state: 'ready', display_name: 'Python 3' }, 'Python 3 · starts warm'],
    [{ kind: 'kernelspec', state: 'ready', warm: false }, 'geo'],
    [{ kind: 'built', state: 'ready', version: 2 }, 'geo · version 2 · starts warm'],
    [{ kind: 'built', state: 'building', version: 3 }, 'geo · version 3 · being built'],
    [{ kind: 'built', state: 'failed', version: 1 }, 'geo · version 1 · build failed']
  ] as [Partial<Environment>, string][])('says what %j is', (fields, said) => {
    expect(describeEnvironment([environment(fields)], 'geo', trans)).toBe(said);
  });

  it('shows a version or a path as it is', () => {
    expect(describeEnvironment([environment({})], 'geo:1', trans)).toBe('geo:1');
  });
});
