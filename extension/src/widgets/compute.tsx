/** The compute targets, as the extension's panel lists them. */
import * as React from 'react';

import type { Target } from '../api';
import { TargetRow } from '../compute/row';
import { useAct, useTrait } from './model';
import { trans } from './trans';
import { treeProps } from './tree';

const rowId = (name: string) => `jp-perijove-target-${name}`;

export function ComputeView(): React.ReactElement {
  const [{ targets }] = useTrait<{ targets: Target[] }>('data');
  const [selected, setSelected] = useTrait<string>('selected');
  const act = useAct();
  return (
    <div
      className="jp-perijove-targets"
      aria-label={trans.__('Compute')}
      {...treeProps(
        targets.map(target => target.name),
        selected,
        setSelected,
        rowId
      )}
    >
      {targets.map(target => (
        <TargetRow
          key={target.name}
          target={target}
          place={{
            id: rowId(target.name),
            selected: target.name === selected,
            onSelect: setSelected
          }}
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
