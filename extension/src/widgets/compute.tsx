/** The compute targets, as the extension's panel lists them. */
import * as React from 'react';

import type { Target } from '../api';
import { TargetRow } from '../compute/row';
import { useAct, useTrait } from './model';
import { trans } from './trans';

export function ComputeView(): React.ReactElement {
  const [{ targets }] = useTrait<{ targets: Target[] }>('data');
  const [selected, setSelected] = useTrait<string>('selected');
  const act = useAct();
  return (
    <div className="jp-perijove-targets" role="tree" aria-label={trans.__('Compute')}>
      {targets.map((target, index) => (
        <TargetRow
          key={target.name}
          target={target}
          place={{
            id: `jp-perijove-target-${target.name}`,
            selected: target.name === selected,
            onSelect: setSelected
          }}
          tabIndex={(selected ? target.name === selected : index === 0) ? 0 : -1}
          trans={trans}
          onOpen={() => setSelected(target.name)}
          onStart={() => act('start', { name: target.name })}
          onStop={() => act('stop', { name: target.name })}
          onRestart={() => act('restart', { name: target.name })}
        />
      ))}
    </div>
  );
}
