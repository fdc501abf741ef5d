/** What a run is: parameters, metrics, tags, description, data, source, models, nested runs. */
import { Notification } from '@jupyterlab/apputils';
import { addIcon, closeIcon, editIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { ApiError, type Run, type RunChange } from '../api';
import { useAnswer } from '../components/answer';
import { Details, type Rows } from '../components/details';
import { Link } from '../components/link';
import { Markdown } from '../components/rendered';
import { Dot } from '../components/state';
import { duration, metricText, statusText, tone } from './format';
import type { IViewProps } from './rundocument';
import { askTag } from './tagform';
import { CommandIDs } from './tokens';

type Props = IViewProps & { run: Run };

/** Lines of a table that are drawn; the rest is found by typing. */
const MOST = 200;

export function Overview(props: Props): React.ReactElement {
  const { run, trans, runs: manager } = props;
  const params = Object.entries(run.params ?? {}).sort(byName);
  const metrics = Object.entries(run.metrics ?? {})
    .filter(([key]) => !key.startsWith('system/'))
    .sort(byName);
  return (
    <div className="jp-perijove-scroll" tabIndex={0} aria-label={trans.__('Overview')}>
      <div className="jp-perijove-overview">
        <div>
          <Description {...props} />
          <Values
            title={trans.__('Parameters')}
            rows={params}
            none={trans.__('None were logged.')}
            trans={trans}
          />
          <Values
            title={trans.__('Metrics')}
            rows={metrics.map(([key, value]) => [key, metricText(value)])}
            none={trans.__('None were logged.')}
            trans={trans}
          />
          <Children {...props} />
        </div>
        <div>
          <Facts {...props} />
          <section>
            <h2>
              {trans.__('Tags')}
              {isActive(run) && (
                <button
                  className="jp-perijove-row-action"
                  title={trans.__('Add a tag')}
                  aria-label={trans.__('Add a tag')}
                  onClick={() => void askTag(manager, [run.run_id], trans)}
                >
                  <addIcon.react tag="span" width="14px" height="14px" />
                </button>
              )}
            </h2>
            <Tags {...props} />
          </section>
          <Data {...props} />
          <Models {...props} />
        </div>
      </div>
    </div>
  );
}

function Description(props: Props): React.ReactElement {
  const { run, trans } = props;
  const [text, setText] = React.useState<string | null>(null);
  const save = async () => {
    if (await changed(props, { description: text ?? '' })) {
      setText(null);
    }
  };
  const edit = trans.__('Edit the description');
  return (
    <section>
      <h2>
        {trans.__('Description')}
        {text === null && isActive(run) && (
          <button
            className="jp-perijove-row-action"
            title={edit}
            aria-label={edit}
            onClick={() => setText(run.description ?? '')}
          >
            <editIcon.react tag="span" width="14px" height="14px" />
          </button>
        )}
      </h2>
      {text !== null ? (
        <div className="jp-perijove-describe">
          <textarea
            className="jp-mod-styled"
            rows={6}
            aria-label={trans.__('Description, in Markdown')}
            value={text}
            ref={element => element?.focus()}
            onChange={event => setText(event.target.value)}
            onKeyDown={event => {
              if (event.key === 'Escape') {
                setText(null);
              } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
                void save();
              }
            }}
          />
          <div>
            <button className="jp-Button jp-mod-styled" onClick={() => setText(null)}>
              {trans.__('Cancel')}
            </button>
            <button className="jp-Button jp-mod-styled jp-mod-accept" onClick={() => void save()}>
              {trans.__('Save')}
            </button>
          </div>
        </div>
      ) : run.description ? (
        <Markdown source={run.description} rendermime={props.rendermime} trans={props.trans} />
      ) : (
        <p className="jp-perijove-none">{trans.__('None yet.')}</p>
      )}
    </section>
  );
}

function Values(props: {
  title: string;
  rows: [string, string][];
  none: string;
  trans: IViewProps['trans'];
}): React.ReactElement {
  const { rows, trans } = props;
  const [filter, setFilter] = React.useState('');
  const found = rows.filter(([key]) => key.toLowerCase().includes(filter.toLowerCase()));
  return (
    <section>
      <h2>
        {props.title} <small>{rows.length || ''}</small>
        {rows.length > 12 && (
          <input
            type="search"
            className="jp-mod-styled"
            placeholder={trans.__('Find')}
            aria-label={trans.__('Find in %1', props.title)}
            value={filter}
            onChange={event => setFilter(event.target.value)}
          />
        )}
      </h2>
      {rows.length ? (
        <table className="jp-perijove-values">
          <tbody>
            {found.slice(0, MOST).map(([key, value]) => (
              <tr key={key}>
                <th scope="row" title={key}>
                  <bdi>{key}</bdi>
                </th>
                <td>
                  <bdi>{value}</bdi>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p className="jp-perijove-none">{props.none}</p>
      )}
      {found.length > MOST && (
        <p className="jp-perijove-none">{trans.__('%1 more', found.length - MOST)}</p>
      )}
    </section>
  );
}

function Tags(props: Props): React.ReactElement {
  const { run, trans, runs: manager } = props;
  const tags = Object.entries(run.tags ?? {}).sort(byName);
  if (!tags.length) {
    return <p className="jp-perijove-none">{trans.__('None yet.')}</p>;
  }
  return (
    <ul className="jp-perijove-tags">
      {tags.map(([key, value]) => (
        <li key={key}>
          <button
            title={`${key}: ${value}`}
            disabled={!isActive(run)}
            onClick={() => void askTag(manager, [run.run_id], trans, { key, value })}
          >
            <bdi>{key}</bdi> <b>{value}</b>
          </button>
          {isActive(run) && (
            <button
              title={trans.__('Remove the tag %1', key)}
              aria-label={trans.__('Remove the tag %1', key)}
              onClick={() => void changed(props, { tags: { [key]: null } })}
            >
              <closeIcon.react tag="span" width="12px" height="12px" />
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

function Facts(props: Props): React.ReactElement {
  const { run, trans, commands } = props;
  const time = (value?: string | null) => (value ? new Date(value).toLocaleString() : null);
  const source = run.source_info;
  const rows: Rows = [
    [trans.__('Run'), <code key="id">{run.run_id}</code>],
    [trans.__('Status'), statusText(run.status, trans)],
    [trans.__('Started'), time(run.started_at)],
    [trans.__('Ended'), time(run.ended_at)],
    [trans.__('Took'), typeof run.duration === 'number' ? duration(run.duration) : null],
    [trans.__('User'), run.user],
    [trans.__('Source'), source?.name],
    [trans.__('Git commit'), source?.commit && <code key="git">{source.commit}</code>],
    [trans.__('Branch'), source?.branch],
    [trans.__('Repository'), source?.repository],
    [
      trans.__('Nested in'),
      run.parent_run_id && (
        <Link
          key="parent"
          onOpen={() => void commands.execute(CommandIDs.open, { runId: run.parent_run_id! })}
        >
          {run.parent_run_id}
        </Link>
      )
    ],
    [trans.__('Artifacts'), run.artifact_uri && <code key="uri">{run.artifact_uri}</code>]
  ];
  return (
    <section>
      <h2>{trans.__('Details')}</h2>
      <Details rows={rows} />
    </section>
  );
}

function Data(props: Props): React.ReactElement | null {
  const { run, trans } = props;
  const datasets = run.datasets ?? [];
  return datasets.length ? (
    <section>
      <h2>{trans.__('Datasets')}</h2>
      <ul className="jp-perijove-items">
        {datasets.map(data => (
          <li key={`${data.name} ${data.digest} ${data.context ?? ''}`}>
            <span title={data.source ?? ''}>
              <bdi>{data.name}</bdi> <small>{data.digest}</small>
            </span>
            <small>
              {[
                data.context,
                data.rows ? trans.__('%1 rows', data.rows.toLocaleString()) : '',
                data.source_type
              ]
                .filter(Boolean)
                .join(' · ')}
            </small>
          </li>
        ))}
      </ul>
    </section>
  ) : null;
}

function Models(props: Props): React.ReactElement | null {
  const { run, trans, commands } = props;
  const models = run.logged_models ?? [];
  const versions = run.model_versions ?? [];
  return models.length || versions.length ? (
    <section>
      <h2>{trans.__('Models')}</h2>
      <ul className="jp-perijove-items">
        {models.map(model => (
          <li key={model.model_id}>
            <span title={model.model_id}>
              <bdi>{model.name}</bdi>
            </span>
            <small>
              {[model.model_type, model.status.toLowerCase().replace(/_/g, ' ')]
                .filter(Boolean)
                .join(' · ')}
            </small>
          </li>
        ))}
        {versions.map(({ name, version, aliases }) => (
          <li key={`${name} ${version}`}>
            <Link onOpen={() => void commands.execute('perijove:open-model', { name, version })}>
              <bdi>{name}</bdi> {`v${version}`}
            </Link>
            {aliases?.map(alias => (
              <span key={alias} className="jp-perijove-pill">
                {alias}
              </span>
            ))}
          </li>
        ))}
      </ul>
    </section>
  ) : null;
}

function Children(props: Props): React.ReactElement | null {
  const { run, trans, runs: manager, commands } = props;
  const question = {
    experiment_ids: [run.experiment_id],
    parent_run_id: run.run_id,
    columns: [],
    limit: MOST
  };
  const [found] = useAnswer(
    async () => (run.children ? (await manager.search(question)).runs : []),
    [run],
    true
  );
  return run.children ? (
    <section>
      <h2>
        {trans.__('Nested runs')} <small>{run.children}</small>
      </h2>
      <ul className="jp-perijove-items">
        {found?.map(child => (
          <li key={child.run_id}>
            <Dot tone={tone(child.status)} label={statusText(child.status, trans)} />
            <Link onOpen={() => void commands.execute(CommandIDs.open, { runId: child.run_id })}>
              <bdi>{child.name}</bdi>
            </Link>
            <small>{typeof child.duration === 'number' ? duration(child.duration) : ''}</small>
          </li>
        ))}
      </ul>
    </section>
  ) : null;
}

async function changed(props: Props, change: RunChange): Promise<boolean> {
  try {
    await props.runs.change(props.run.run_id, change);
    return true;
  } catch (error) {
    Notification.error(error instanceof ApiError ? error.text : String(error), {
      autoClose: false
    });
    return false;
  }
}

/** One that is deleted is restored before it is changed. */
function isActive(run: Run): boolean {
  return run.lifecycle_stage === 'active';
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}
