/** What a machine uses, as two small bars: CPU above, memory below. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Target } from '../api';
import { sizeText } from '../components/size';

export function UsageBars(props: {
  target: Target;
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { target, trans } = props;
  const { usage } = target;
  if (!usage) {
    return null;
  }
  const memory = usage.memory
    ? trans.__('memory %1 of %2', sizeText(usage.memory_used), sizeText(usage.memory))
    : trans.__('memory %1', sizeText(usage.memory_used));
  const label = trans.__('CPU %1 %, %2', Math.round(usage.cpu_percent), memory);
  const shares = [usage.cpu_percent / 100, usage.memory ? usage.memory_used / usage.memory : 0];
  return (
    <span className="jp-perijove-usage" role="img" aria-label={label} title={label}>
      {shares.map((share, at) => (
        <i key={at} className={share > 0.9 ? 'jp-mod-full' : ''}>
          <i style={{ width: `${Math.min(100, Math.max(0, 100 * share))}%` }} />
        </i>
      ))}
    </span>
  );
}
