/** The left panel's section of compute targets. */
import { TranslationBundle } from '@jupyterlab/translation';
import { addIcon } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { useSignal } from '../components/signal';
import { ComputeManager, isManaged } from './manager';
import { TargetRow } from './row';
import { CommandIDs } from './tokens';

export function ComputeSection(props: {
  manager: ComputeManager;
  commands: CommandRegistry;
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { manager, commands, trans } = props;
  useSignal(manager.changed);
  const [selected, setSelected] = React.useState<string | null>(null);
  const list = React.useRef<HTMLDivElement>(null);
  const { targets } = manager;
  if (!targets.length) {
    return null;
  }
  const run = (id: string, name: string) => void commands.execute(id, { name });
  const onKeyDown = (event: React.KeyboardEvent) => {
    const rows = [...list.current!.querySelectorAll<HTMLElement>('[data-target]')];
    const at = rows.findIndex(row => row.dataset.target === selected);
    const go = (to: number) => rows[Math.max(0, Math.min(rows.length - 1, to))]?.focus();
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      Enter: () => selected && run(CommandIDs.open, selected),
      Delete: () => selected && run(CommandIDs.remove, selected)
    };
    if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  };
  const isKnown = targets.some(target => target.name === selected);
  const up = targets.filter(target => isManaged(target) && target.state === 'running').length;
  const create = trans.__('Create compute…');
  return (
    <section className="jp-perijove-section" aria-label={trans.__('Compute')}>
      <header className="jp-perijove-head">
        <span>{trans.__('Compute')}</span>
        {targets.some(isManaged) && (
          <span className="jp-perijove-count">{trans.__('%1 up', up)}</span>
        )}
        <button
          className="jp-perijove-head-action"
          title={create}
          aria-label={create}
          onClick={() => void commands.execute(CommandIDs.create)}
        >
          <addIcon.react tag="span" width="14px" height="14px" />
        </button>
      </header>
      <div
        ref={list}
        className="jp-perijove-targets"
        role="listbox"
        aria-label={trans.__('Compute')}
        onKeyDown={onKeyDown}
      >
        {targets.map((target, index) => (
          <TargetRow
            key={target.name}
            target={target}
            selected={target.name === selected}
            focusable={isKnown ? target.name === selected : index === 0}
            trans={trans}
            onSelect={() => setSelected(target.name)}
            onOpen={() => run(CommandIDs.open, target.name)}
            onStart={() => run(CommandIDs.start, target.name)}
            onStop={() => run(CommandIDs.stop, target.name)}
            onRestart={() => run(CommandIDs.restart, target.name)}
          />
        ))}
      </div>
      {!targets.some(isManaged) && (
        <button
          className="jp-perijove-more"
          onClick={() => void commands.execute(CommandIDs.create)}
        >
          {create}
        </button>
      )}
    </section>
  );
}
