/** The left panel's section of registered models. */
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { RegisteredModel } from '../api';
import { useClock } from '../components/clock';
import { modelIcon } from '../components/icons';
import { listingSection, ListingView } from '../components/listing';
import { type IRowPlace, rowProps } from '../components/rowlist';
import { addButton, type Section } from '../components/section';
import { ago } from '../jobs/format';
import { Badge } from './badges';
import { dragModel } from './drag';
import { bestUri } from './format';
import { ModelManager } from './manager';
import { CommandIDs } from './tokens';

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

function Models({ manager, commands, trans }: IProps): React.ReactElement {
  const now = useClock(60_000);
  const run = (id: string, name: string) => void commands.execute(id, { name });
  return (
    <ListingView
      listing={manager}
      label={trans.__('Models')}
      keyOf={({ name }) => name}
      keysOf={({ name }) => ({
        Enter: () => run(CommandIDs.open, name),
        F2: () => run(CommandIDs.rename, name),
        Delete: () => run(CommandIDs.remove, name)
      })}
      textOf={textOf}
      placeholder={trans.__('Filter models')}
      none={trans.__(
        'None yet. Register what a run has logged, or files of any framework: the + above.'
      )}
      noMatch={trans.__('No model matches.')}
      trans={trans}
      draw={(model, place) => (
        <Row
          model={model}
          manager={manager}
          place={place}
          now={now}
          trans={trans}
          onOpen={() => run(CommandIDs.open, model.name)}
        />
      )}
    />
  );
}

function Row(props: {
  model: RegisteredModel;
  manager: ModelManager;
  place: IRowPlace;
  now: number;
  trans: TranslationBundle;
  onOpen(): void;
}): React.ReactElement {
  const { model, now, trans } = props;
  const { name, latest_version: latest, updated_at: changed } = model;
  const said = [
    model.archived ? trans.__('archived') : '',
    trans._n('%1 version', '%1 versions', model.versions),
    changed ? ago(changed, trans, now) : ''
  ].filter(Boolean);
  return (
    <div
      {...rowProps(name, props.place)}
      data-model-name={name}
      title={[name, model.description?.slice(0, 300)].filter(Boolean).join('\n')}
      onMouseDown={event => {
        props.place.onSelect(name);
        if (latest) {
          dragModel(event, props.manager, { name, version: latest, uri: bestUri(model) });
        }
      }}
      onClick={props.onOpen}
    >
      <modelIcon.react tag="span" className="jp-perijove-kind" width="14px" height="14px" />
      <div className="jp-perijove-row-text">
        <div className="jp-perijove-row-first">
          <span className="jp-perijove-row-name">
            <bdi>{name}</bdi> <small>{latest ? `v${latest}` : ''}</small>
          </span>
          <span className="jp-perijove-badges">
            {model.aliases?.slice(0, 3).map(alias => (
              <Badge key={alias.alias} alias={alias} version={true} trans={trans} />
            ))}
          </span>
        </div>
        <span className="jp-perijove-row-summary">{said.join(' · ')}</span>
      </div>
    </div>
  );
}

/** What a filter looks into. */
function textOf(model: RegisteredModel): string {
  const tags = Object.entries(model.tags ?? {}).flat();
  const aliases = model.aliases?.map(({ alias }) => alias) ?? [];
  return [model.name, ...aliases, ...tags].join(' ');
}
