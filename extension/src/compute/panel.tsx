/** The left panel's section of compute targets. */
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { RowList } from '../components/rowlist';
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
  const { targets } = manager;
  const run = (id: string, name: string) => void commands.execute(id, { name });
  return (
    <>
      <RowList
        label={trans.__('Compute')}
        items={targets}
        keyOf={({ name }) => name}
        keysOf={({ name }) => ({
          Enter: () => run(CommandIDs.open, name),
          Delete: () => run(CommandIDs.remove, name)
        })}
        draw={(target, place) => (
          <TargetRow
            target={target}
            place={place}
            trans={trans}
            onOpen={() => run(CommandIDs.open, target.name)}
            onStart={() => run(CommandIDs.start, target.name)}
            onStop={() => run(CommandIDs.stop, target.name)}
            onRestart={() => run(CommandIDs.restart, target.name)}
          />
        )}
      />
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
