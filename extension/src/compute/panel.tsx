/** The left panel's section of compute targets. */
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { addButton, Section } from '../components/section';
import { useSignal } from '../components/signal';
import { ComputeManager, isManaged } from './manager';
import { TargetRow } from './row';
import { CommandIDs } from './tokens';

interface IProps {
  manager: ComputeManager;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/** `wrap` draws what is listed, once the hub is there. */
export function computeSection(
  props: IProps,
  wrap: (body: React.ReactElement) => React.ReactElement
): Section {
  const { manager, commands, trans } = props;
  const count = () => {
    const managed = manager.targets.filter(isManaged);
    const up = managed.filter(target => target.state === 'running').length;
    return managed.length ? trans.__('%1 up', up) : '';
  };
  return new Section({
    label: trans.__('Compute'),
    changed: manager.changed,
    count,
    tools: { create: addButton(commands, CommandIDs.create, trans.__('Create compute…')) },
    body: wrap(<Targets {...props} />)
  });
}

function Targets({ manager, commands, trans }: IProps): React.ReactElement {
  useSignal(manager.changed);
  const [selected, setSelected] = React.useState<string | null>(null);
  const list = React.useRef<HTMLDivElement>(null);
  const { targets } = manager;
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
    if (keys[event.key] && !(event.ctrlKey || event.metaKey || event.altKey)) {
      event.preventDefault();
      keys[event.key]();
    }
  };
  const isKnown = targets.some(target => target.name === selected);
  return (
    <>
      <div
        ref={list}
        className="jp-perijove-targets"
        role="tree"
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
          {trans.__('Create compute…')}
        </button>
      )}
    </>
  );
}
