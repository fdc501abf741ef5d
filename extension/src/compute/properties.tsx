/** Everything known of a target, to read and to copy. */
import { Clipboard } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon, copyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { PowerSchedule, Target } from '../api';
import { Details, type Rows } from '../components/details';
import { sizeText } from '../components/size';
import { duration } from '../jobs/format';
import { kindText, kindWord, nodeHours, stateText } from './format';
import { isMachine, isManaged } from './manager';
import { scheduleText } from './schedules';

/** Said elsewhere on the page, or of no use to people. */
const HIDDEN = new Set(['kernels', 'step', 'way_back', 'shutdown_at', 'shutdown_reason']);
/** Of the attributes, those that a person chose; the properties have the others. */
const CHOSEN = [
  'cpus',
  'memory',
  'gpus',
  'host',
  'image',
  'proxy_jump',
  'identity_file',
  'scheduler',
  'partition',
  'account',
  'walltime',
  'directives',
  'idle_minutes_before_shutdown',
  'schedules'
];

export function Properties(props: {
  target: Target;
  trans: TranslationBundle;
}): React.ReactElement {
  const { target, trans } = props;
  const { last_operation: last, attributes = {}, properties = {} } = target;
  const time = (value?: string | null) => (value ? new Date(value).toLocaleString() : null);
  const owner = attributes.owner ?? target.created_by;
  const made: Rows = [
    [trans.__('Name'), target.name],
    [trans.__('Kind'), kindText(target, trans) || kindWord(target, trans)],
    [trans.__('State'), stateText(target, trans)],
    [trans.__('Owner'), owner ? String(owner) : null],
    [trans.__('Workspace'), attributes.workspace ? String(attributes.workspace) : null],
    [trans.__('Created'), time(target.created_at)],
    [
      trans.__('Last operation'),
      last && `${last.name}, ${last.outcome}, ${time(last.ended_at ?? last.begun_at)}`
    ],
    [trans.__('Why'), last?.message],
    ...CHOSEN.filter(name => !(name in properties)).map(name =>
      property(name, attributes[name], target, trans)
    )
  ];
  const now: Rows = [
    [trans.__('Jobs at once'), target.slots],
    ...(isManaged(target) && !isMachine(target)
      ? ([[trans.__('Nodes'), trans.__('%1 to %2', target.min_nodes, target.max_nodes)]] as Rows)
      : []),
    ...(isManaged(target)
      ? ([[trans.__('Cost of being on'), nodeHours(target, trans)]] as Rows)
      : []),
    ...(isMachine(target)
      ? ([
          [
            trans.__('Open a shell with'),
            <Copyable key="shell" text={`perijove compute connect ${target.name}`} trans={trans} />
          ]
        ] as Rows)
      : []),
    ...Object.entries(properties)
      .filter(([name]) => !HIDDEN.has(name))
      .map(([name, value]) => property(name, value, target, trans))
  ];
  return (
    <div className="jp-perijove-properties">
      <List title={trans.__('Attributes')} rows={made} />
      <List title={trans.__('Resource properties')} rows={now} />
    </div>
  );
}

function List({ title, rows }: { title: string; rows: Rows }): React.ReactElement {
  return (
    <section className="jp-perijove-group-of-details" aria-label={title}>
      <h2>{title}</h2>
      <Details rows={rows} />
    </section>
  );
}

/** A property in the user's words; one that is not known here is shown as it is. */
function property(
  name: string,
  value: unknown,
  target: Target,
  trans: TranslationBundle
): [string, React.ReactNode] {
  const each = isMachine(target) || target.kind === 'instance' ? '' : ` ${trans.__('per node')}`;
  if (value === undefined) {
    return [name, null];
  }
  const text = value === null ? null : String(value);
  const code = text ? <code>{text}</code> : null;
  switch (name) {
    case 'cpus':
      return [trans.__('CPUs') + each, text];
    case 'memory':
      return [
        trans.__('Memory') + each,
        typeof value === 'number' ? sizeText(value) : trans.__('not limited')
      ];
    case 'gpus':
      return [trans.__('GPUs') + each, text];
    case 'idle_seconds_before_scale_down':
      return [trans.__('Idle time before a node leaves'), duration(Number(value))];
    case 'idle_minutes_before_shutdown':
      return [
        trans.__('Stops when idle for'),
        text && trans._n('%1 minute', '%1 minutes', Number(text))
      ];
    case 'schedules':
      return [
        trans.__('Schedule'),
        Array.isArray(value) && value.length
          ? (value as PowerSchedule[]).map((schedule, at) => (
              <div key={at}>{scheduleText(schedule, trans)}</div>
            ))
          : null
      ];
    case 'host':
      return [trans.__('Host'), code];
    case 'hostname':
      return [trans.__('Host name'), code];
    case 'user':
      return [trans.__('User'), text];
    case 'addresses':
      return [trans.__('Addresses'), Array.isArray(value) ? <Codes values={value} /> : code];
    case 'ssh':
      return [trans.__('SSH command'), text && <Copyable text={text} trans={trans} />];
    case 'host_key_fingerprint':
      return [trans.__('Host key'), text && <Copyable text={text} trans={trans} />];
    case 'disk_free':
      return [trans.__('Free disk space'), value ? sizeText(Number(value)) : null];
    case 'system':
      return [trans.__('System'), text];
    case 'python':
      return ['Python', text];
    case 'limits':
      return [trans.__('Limits'), text];
    case 'image':
      return [trans.__('Image'), code];
    case 'partition':
      return [trans.__('Partition'), text];
    case 'account':
      return [trans.__('Account'), text];
    case 'walltime':
      return [trans.__('Walltime'), text];
    case 'directives':
      return [
        trans.__('Directives'),
        Array.isArray(value) && value.length ? <Codes values={value} /> : null
      ];
    case 'scheduler':
      return [trans.__('Dask scheduler'), text && <Copyable text={text} trans={trans} />];
    case 'dashboard':
      return [trans.__('Dask dashboard'), text && <Link url={text} />];
    case 'links':
      return [
        trans.__('Applications'),
        value && typeof value === 'object'
          ? Object.entries(value).map(([label, url]) => (
              <div key={label}>
                <Link url={String(url)} label={label} />
              </div>
            ))
          : null
      ];
    case 'certificates':
      return [trans.__('Certificates'), code];
    case 'proxy_jump':
      return [trans.__('Jump host'), code];
    case 'identity_file':
      return [trans.__('Private key'), code];
    default:
      return [
        name.replaceAll('_', ' ').replace(/^./, first => first.toUpperCase()),
        value === null || value === '' ? null : (
          <code>{typeof value === 'string' ? value : JSON.stringify(value)}</code>
        )
      ];
  }
}

function Codes({ values }: { values: readonly unknown[] }): React.ReactElement {
  return (
    <>
      {values.map((value, at) => (
        <div key={at}>
          <code>{String(value)}</code>
        </div>
      ))}
    </>
  );
}

/** A text with a button that copies it. */
function Copyable(props: { text: string; trans: TranslationBundle }): React.ReactElement {
  const { text, trans } = props;
  const [copied, setCopied] = React.useState(false);
  React.useEffect(() => {
    if (copied) {
      const timer = window.setTimeout(() => setCopied(false), 1500);
      return () => window.clearTimeout(timer);
    }
  }, [copied]);
  const label = copied ? trans.__('Copied') : trans.__('Copy');
  const icon = copied ? checkIcon : copyIcon;
  return (
    <span className="jp-perijove-copyable">
      <code title={text}>{text}</code>
      <button
        className="jp-perijove-row-action"
        title={label}
        aria-label={label}
        onClick={() => {
          Clipboard.copyToSystem(text);
          setCopied(true);
        }}
      >
        <icon.react tag="span" width="14px" height="14px" />
      </button>
    </span>
  );
}

/** It listens on the hub's own machine only: a link is of use where the browser is there too. */
function Link({ url, label }: { url: string; label?: string }): React.ReactElement {
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(window.location.hostname);
  return isHere && /^https?:/.test(url) ? (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {label ?? url}
    </a>
  ) : (
    <code>{url}</code>
  );
}
