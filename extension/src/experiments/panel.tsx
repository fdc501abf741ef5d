/** The left panel's section of experiments. */
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Experiment } from '../api';
import { useClock } from '../components/clock';
import { listingSection, ListingView } from '../components/listing';
import { type IRowPlace, rowProps } from '../components/rowlist';
import { addButton, type Section } from '../components/section';
import { Dot } from '../components/state';
import { ago } from '../jobs/format';
import { ExperimentManager } from './manager';
import { CommandIDs } from './tokens';

interface IProps {
  manager: ExperimentManager;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/** `wrap` draws what is listed, once the hub is there. */
export function experimentsSection(
  props: IProps,
  wrap: (body: React.ReactElement) => React.ReactElement
): Section {
  const { manager, commands, trans } = props;
  return listingSection({
    listing: manager,
    label: trans.__('Experiments'),
    showAll: trans.__('Show deleted experiments'),
    create: addButton(commands, CommandIDs.create, trans.__('Create experiment…')),
    body: wrap(<Experiments {...props} />)
  });
}

function Experiments({ manager, commands, trans }: IProps): React.ReactElement {
  const now = useClock(60_000);
  const run = (id: string, experimentId: string) => void commands.execute(id, { experimentId });
  return (
    <ListingView
      listing={manager}
      label={trans.__('Experiments')}
      rowsOf={experiments => experiments}
      keyOf={({ id }) => id}
      keysOf={({ id }) => ({
        Enter: () => run(CommandIDs.open, id),
        F2: () => run(CommandIDs.rename, id),
        Delete: () => run(CommandIDs.remove, id)
      })}
      textOf={({ name }) => name}
      placeholder={trans.__('Filter experiments')}
      none={trans.__('None yet. A job makes the one it names; MLflow code does, too.')}
      noMatch={trans.__('No experiment matches.')}
      trans={trans}
      draw={(experiment, place) => (
        <Row
          experiment={experiment}
          place={place}
          now={now}
          trans={trans}
          onOpen={() => run(CommandIDs.open, experiment.id)}
        />
      )}
    />
  );
}

function Row(props: {
  experiment: Experiment;
  place: IRowPlace;
  now: number;
  trans: TranslationBundle;
  onOpen(): void;
}): React.ReactElement {
  const { experiment, now, trans } = props;
  const { runs, running } = experiment;
  const isDeleted = experiment.lifecycle_stage === 'deleted';
  const used = experiment.last_run_at ?? experiment.updated_at;
  const said = [
    isDeleted ? trans.__('deleted') : '',
    typeof runs === 'number' ? trans._n('%1 run', '%1 runs', runs) : '',
    running ? trans.__('%1 running', running) : '',
    used ? ago(used, trans, now) : ''
  ].filter(Boolean);
  return (
    <div
      {...rowProps(experiment.id, props.place)}
      data-experiment-id={experiment.id}
      title={[experiment.name, experiment.description].filter(Boolean).join('\n')}
      onClick={props.onOpen}
    >
      <Dot
        tone={isDeleted ? 'canceled' : running ? 'running' : 'waiting'}
        label={running ? trans.__('running') : isDeleted ? trans.__('deleted') : trans.__('idle')}
      />
      <div className="jp-perijove-row-text">
        <span className="jp-perijove-row-name">
          <bdi>{experiment.name}</bdi>
        </span>
        <span className="jp-perijove-row-summary">{said.join(' · ')}</span>
      </div>
    </div>
  );
}
