/** Everything known of a target, to read and to copy. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Target } from '../api';
import { Details, type Rows } from '../components/details';
import { sizeText } from '../components/size';
import { duration } from '../jobs/format';
import { kindText, nodeHours, stateText } from './format';
import { isManaged } from './manager';

export function PropertiesView(props: {
  target: Target;
  trans: TranslationBundle;
}): React.ReactElement {
  const { target, trans } = props;
  const time = (value?: string | null) => (value ? new Date(value).toLocaleString() : null);
  const last = target.last_operation;
  const attributes: Rows = [
    [trans.__('Name'), target.name],
    [trans.__('Kind'), kindText(target, trans) || trans.__('this machine')],
    [trans.__('State'), stateText(target, trans)],
    [trans.__('Message'), target.message],
    [trans.__('Created'), time(target.created_at)],
    [trans.__('Created by'), target.created_by],
    [
      trans.__('Last operation'),
      last && `${last.name}, ${last.outcome}, ${time(last.ended_at ?? last.begun_at)}`
    ],
    [trans.__('What went wrong'), last?.message]
  ];
  const resources: Rows = [
    [trans.__('Jobs at once'), target.slots],
    ...(isManaged(target)
      ? ([
          [trans.__('Nodes'), trans.__('%1 to %2', target.min_nodes, target.max_nodes)],
          [trans.__('Cost of being on'), nodeHours(target, trans)]
        ] as Rows)
      : []),
    ...Object.entries(target.properties ?? {}).map(([name, value]): [string, React.ReactNode] =>
      property(name, value, trans)
    )
  ];
  return (
    <>
      <List title={trans.__('Attributes')} rows={attributes} />
      <List title={trans.__('Resource properties')} rows={resources} />
    </>
  );
}

function List({ title, rows }: { title: string; rows: Rows }): React.ReactElement {
  return (
    <section className="jp-perijove-group-of-details">
      <h4>{title}</h4>
      <Details rows={rows} />
    </section>
  );
}

/** A property in the user's words; one that is not known here is shown as it is. */
function property(
  name: string,
  value: unknown,
  trans: TranslationBundle
): [string, React.ReactNode] {
  switch (name) {
    case 'cpus':
      return [trans.__('CPUs per node'), String(value)];
    case 'memory':
      return [
        trans.__('Memory per node'),
        typeof value === 'number' ? sizeText(value) : trans.__('not limited')
      ];
    case 'gpus':
      return [trans.__('GPUs per node'), String(value)];
    case 'idle_seconds_before_scale_down':
      return [trans.__('Idle time before a node leaves'), duration(Number(value))];
    case 'scheduler':
      return [trans.__('Dask scheduler'), value ? <code>{String(value)}</code> : null];
    case 'dashboard':
      return [trans.__('Dask dashboard'), value ? <Dashboard url={String(value)} /> : null];
    case 'certificates':
      return [trans.__('Certificates'), value ? <code>{String(value)}</code> : null];
    default:
      return [name, value === null ? null : <code>{JSON.stringify(value)}</code>];
  }
}

/** It listens on the hub's own machine only: a link is of use where the browser is there too. */
function Dashboard({ url }: { url: string }): React.ReactElement {
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(window.location.hostname);
  return isHere ? (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {url}
    </a>
  ) : (
    <code>{url}</code>
  );
}
