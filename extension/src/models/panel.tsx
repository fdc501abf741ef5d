/** The left panel's section of registered models. */
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { ModelVersion, RegisteredModel } from '../api';
import { useClock } from '../components/clock';
import { listingSection, ListingView } from '../components/listing';
import { ROW } from '../components/rowlist';
import { addButton, type Section } from '../components/section';
import { ModelManager } from './manager';
import { ModelRow, MoreRow, VersionRow } from './row';
import { CommandIDs } from './tokens';
import { useVersions } from './useversions';

interface IProps {
  manager: ModelManager;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/** `wrap` draws what is listed, once the hub is there. */
export function modelsSection(
  props: IProps,
  wrap: (body: React.ReactElement) => React.ReactElement
): Section {
  const { manager, commands, trans } = props;
  return listingSection({
    listing: manager,
    label: trans.__('Models'),
    showAll: trans.__('Show archived models'),
    create: addButton(commands, CommandIDs.register, trans.__('Register model…')),
    body: wrap(<Models {...props} />)
  });
}

/** Versions of an unfolded model that are rows; the model's document has all. */
const MOST = 8;
/** Pixels of a row with one line. */
const LINE = 26;

type Item =
  | { kind: 'model'; model: RegisteredModel }
  | { kind: 'version'; model: RegisteredModel; version: ModelVersion }
  | { kind: 'more'; model: RegisteredModel; count: number };

function Models({ manager, commands, trans }: IProps): React.ReactElement {
  const now = useClock(60_000);
  const versions = useVersions(manager);
  const run = (id: string, item: Item) =>
    void commands.execute(id, {
      name: item.model.name,
      ...(item.kind === 'version' ? { version: item.version.version } : {})
    });
  const keysOf = (item: Item, select: (key: string) => void): Record<string, () => void> => {
    const { name } = item.model;
    return {
      Enter: () => run(CommandIDs.open, item),
      ArrowLeft: () => {
        versions.fold(name, false);
        select(name);
      },
      ...(item.kind === 'more' ? {} : { Delete: () => run(CommandIDs.remove, item) }),
      ...(item.kind === 'model'
        ? {
            F2: () => run(CommandIDs.rename, item),
            ArrowRight: () => versions.fold(name, item.model.versions > 0)
          }
        : {})
    };
  };
  return (
    <ListingView
      listing={manager}
      label={trans.__('Models')}
      rowsOf={models => models.flatMap(model => itemsOf(model, versions.of(model.name)))}
      keyOf={keyOf}
      heightOf={item => (item.kind === 'model' ? ROW : LINE)}
      keysOf={keysOf}
      textOf={textOf}
      placeholder={trans.__('Filter models')}
      none={trans.__(
        'None yet. Register what a run has logged, or files of any framework: the + above.'
      )}
      noMatch={trans.__('No model matches.')}
      trans={trans}
      draw={(item, place) => {
        const id = keyOf(item);
        const onOpen = () => run(CommandIDs.open, item);
        const shared = { id, manager, place, now, trans, onOpen };
        switch (item.kind) {
          case 'model': {
            const { name } = item.model;
            const open = versions.of(name) !== undefined;
            const onFold = () => versions.fold(name, !open);
            return <ModelRow {...shared} model={item.model} open={open} onFold={onFold} />;
          }
          case 'version':
            return <VersionRow {...shared} model={item.model} version={item.version} />;
          case 'more':
            return <MoreRow {...shared} text={trans.__('%1 more', item.count)} />;
        }
      }}
    />
  );
}

function itemsOf(model: RegisteredModel, versions: readonly ModelVersion[] | null | undefined) {
  const items: Item[] = [{ kind: 'model', model }];
  for (const version of versions?.slice(0, MOST) ?? []) {
    items.push({ kind: 'version', model, version });
  }
  const count = (versions?.length ?? 0) - MOST;
  return count > 0 ? [...items, { kind: 'more', model, count } as const] : items;
}

/** A name may hold anything but what stands between it and the rest. */
function keyOf(item: Item): string {
  const { name } = item.model;
  return item.kind === 'version'
    ? `${name}\n${item.version.version}`
    : item.kind === 'more'
      ? `${name}\n…`
      : name;
}

/** What a filter looks into. */
function textOf(model: RegisteredModel): string {
  const tags = Object.entries(model.tags ?? {}).flat();
  const aliases = model.aliases?.map(({ alias }) => alias) ?? [];
  return [model.name, ...aliases, ...tags].join(' ');
}
