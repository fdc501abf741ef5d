/** How the form says what an environment is. */
import { TranslationBundle } from '@jupyterlab/translation';

import type { Environment } from '../api';

/** A name with its version, its state while it is not ready, and how its kernels start. */
export function describeEnvironment(
  environments: Environment[],
  name: string,
  trans: TranslationBundle
): string {
  const found = environments.find(environment => environment.name === name);
  if (!found) {
    return name;
  }
  const parts = [found.display_name];
  if (found.kind === 'built') {
    parts.push(trans.__('version %1', found.version));
  }
  switch (found.state) {
    case 'queued':
    case 'building':
      parts.push(trans.__('being built'));
      break;
    case 'failed':
      parts.push(trans.__('build failed'));
      break;
    default:
      if (found.warm) {
        parts.push(trans.__('starts warm'));
      }
  }
  return parts.join(' · ');
}
